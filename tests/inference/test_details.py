"""What is said of a set of labels and answers."""

import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.inference.details import describe_answers
from mtbert.inference.metrics import score


def classes(names, **more):
    return TaskSettings(kind="classification", train="t", labels=names, **more)


def rows(names, gold, told):
    return [
        {
            "id": str(i), "gold": g, "prediction": int(np.argmax(p)), "score": max(p),
            "probabilities": dict(zip(names, p, strict=True)),
        }
        for i, (g, p) in enumerate(zip(gold, told, strict=True))
    ]  # fmt: skip


def test_two_classes():
    names = ["no", "yes"]
    gold = [0, 0, 1, 1, 1]
    told = [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4], [0.1, 0.9]]
    found = describe_answers("t", classes(names), rows(names, gold, told))
    assert found.metrics["accuracy"].value == 0.6
    assert found.metrics["accuracy"].low < 0.6 < found.metrics["accuracy"].high
    assert found.confusion == [[1, 1], [1, 2]]
    assert [(c.name, c.rows, c.predicted) for c in found.classes] == [("no", 2, 2), ("yes", 3, 3)]
    assert found.classes[1].recall.value == pytest.approx(2 / 3)
    assert [t.label for t in found.thresholds] == ["yes", "yes"]
    assert [(m.id, m.gold, m.predicted) for m in found.mistakes] == [
        ("1", "no", "yes"), ("3", "yes", "no"),
    ]  # fmt: skip
    assert found.mistakes[0].confidence == 0.7
    assert sum(b.rows for b in found.calibration.bins) == 5
    assert found.constant is None
    assert found.points == []


def test_many_classes_have_their_most_confused_pairs_for_a_matrix():
    names = [f"c{i}" for i in range(40)]
    gold = [*range(40), 3, 3, 3]
    predicted = [*range(40), 7, 7, 8]
    told = np.full((43, 40), 0.01)
    told[np.arange(43), predicted] = 0.61
    found = describe_answers("t", classes(names), rows(names, gold, told.tolist()))
    assert found.confusion is None
    assert [(c.gold, c.predicted, c.rows) for c in found.confused] == [
        ("c3", "c7", 2), ("c3", "c8", 1),
    ]  # fmt: skip
    assert len(found.classes) == 40


def test_a_regression():
    task = TaskSettings(kind="regression", train="t")
    made = [
        {"id": str(i), "gold": 1900.0 + i, "prediction": 1901.0 + i * (i % 3), "score": 0.0}
        for i in range(1000)
    ]
    found = describe_answers("t", task, made)
    assert 300 <= len(found.points) <= 400
    assert found.mistakes[0].error == max(abs(r["gold"] - r["prediction"]) for r in made)
    assert (found.classes, found.confusion, found.calibration) == ([], None, None)
    values = score(task, *(np.array([r[k] for r in made]) for k in ("gold", "prediction")))
    assert {name: s.value for name, s in found.metrics.items()} == values


def test_sets_of_labels():
    names = ["a", "b"]
    task = TaskSettings(kind="multilabel_classification", train="t", labels=names)
    told = {"a": 0.9, "b": 0.2}
    row = {"id": "x", "gold": [0, 1], "prediction": [0], "score": 0.7, "probabilities": told}
    other = {"id": "y", "gold": [], "prediction": [0], "score": 0.7, "probabilities": told}
    found = describe_answers("t", task, [row, other])
    assert found.metrics["subset_accuracy"].value == 0
    assert [(c.name, c.rows, c.predicted) for c in found.classes] == [("a", 1, 2), ("b", 1, 0)]
    assert {m.id: (m.gold, m.predicted) for m in found.mistakes} == {
        "x": (["a", "b"], ["a"]), "y": ([], ["a"]),
    }  # fmt: skip
    assert found.constant == ["a"]
    assert {t.label for t in found.thresholds} == {"a", "b"}


def test_answers_that_are_no_numbers_have_the_reason_and_nothing_else():
    task = TaskSettings(kind="regression", train="t")
    broken = [{"id": "1", "gold": 1.0, "prediction": None, "score": None}] * 2
    found = describe_answers("t", task, broken)
    assert found.undefined == "2 of 2 predictions are not finite"
    assert {s.value for s in found.metrics.values()} == {None}
    constant = [{"id": str(i), "gold": i, "prediction": 3.0, "score": 3.0} for i in range(4)]
    found = describe_answers("t", task, constant)
    assert found.undefined == "all predictions are 3"
    assert found.constant == 3
    assert found.metrics["pearson"].value is None
    assert found.metrics["mae"].value == 1.5
