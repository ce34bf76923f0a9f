"""Predictions on dev sets as records keep them: compact, checked, and the same again."""

import json
import shutil

import numpy as np
import pytest

from mtbert.errors import UserError
from mtbert.studies.predictions import (
    DevPredictions,
    StoredPredictions,
    load_predictions,
    read_predictions,
    store_predictions,
)
from mtbert.studies.records import read_record


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "no row"), ("[]", ":1: damaged"), ("{", ":1: damaged"), ('{"id": 1}', "gold"),
        ('{"id": 1, "gold": 1, "prediction": "x"}', "damaged predictions"),
    ],
)  # fmt: skip
def test_damaged_predictions_are_refused(study, tmp_path, line, told):
    path = shutil.copytree(next((study / "runs").glob("paper-sst-s1-*")), tmp_path / "run")
    (path / "predictions" / "sst-dev.jsonl").write_text(line and line + "\n")
    with pytest.raises(UserError, match=r"sst-dev\.jsonl") as caught:
        read_record(path)
    assert told in str(caught.value)


GOLD = np.array([0.0, 1.0, 1.0, 0.0])


def stored(tmp_path, predictions):
    found = StoredPredictions.model_validate(store_predictions(predictions, tmp_path))
    return load_predictions(tmp_path / "record.json", found)


def test_classes_and_probabilities_come_back(tmp_path):
    predicted, probability = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0, 51, 102, 255]) / 255
    back = stored(tmp_path, DevPredictions("0" * 12, GOLD, predicted, probability))
    assert back.digest == "0" * 12
    assert (back.gold.tolist(), back.predicted.tolist()) == (GOLD.tolist(), predicted.tolist())
    assert back.probability == pytest.approx(probability)
    assert not back.constant
    assert (tmp_path / "labels-000000000000.json").read_text() == '{"labels": [0, 1, 1, 0]}\n'


def test_values_are_kept_to_a_thousandth(tmp_path):
    predicted = np.array([0.12345, -3.0004, 32.767, -32.767])
    back = stored(tmp_path, DevPredictions("1" * 12, GOLD + 0.5, predicted, None))
    assert back.predicted == pytest.approx([0.123, -3.0, 32.767, -32.767])
    assert back.probability is None
    assert back.gold.tolist() == [0.5, 1.5, 1.5, 0.5]


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ([0, 33, 76, 40], [76, 33, 5, 60]),
        ([0, 50, 100, 20], [101.2345, 49.5, -3.25, 20]),
        ([1900, 1950, 2100, 2000], [1903.217, 1950.4, 2099.75, 1e6]),
        ([0, 0.0004, 0.001, 0.0007], [0.00012, 0.00044, 0.00091, 0.0007]),
    ],
    ids=["77 classes", "0 to 100", "years", "thousandths"],
)
def test_answers_of_any_scale_are_neither_clipped_nor_rounded_away(toy, tmp_path, gold, predicted):
    answers = [
        {"gold": g, "prediction": p, "score": p} for g, p in zip(gold, predicted, strict=True)
    ]
    path = write_answers(tmp_path / "sts-dev.jsonl", *answers)
    read = read_predictions(path, toy.settings("sts"), "sts")
    back = stored(tmp_path, read)
    for found in (read, back):
        assert found.predicted == pytest.approx(np.array(predicted, np.float64), rel=1e-7)
    assert np.array_equal(read.predicted, back.predicted)


def test_one_answer_for_all_rows_is_constant(tmp_path):
    assert stored(tmp_path, DevPredictions("2" * 12, GOLD, np.ones(4), None)).constant


def write_answers(path, *answers):
    rows = [{"id": f"r{i}", **answer} for i, answer in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_predictions_are_read_from_a_runs_file(toy, tmp_path):
    def answer(gold, predicted, probability):
        names = {"0": 1 - probability, "1": probability}
        return {"gold": gold, "prediction": predicted, "probabilities": names}

    path = write_answers(tmp_path / "para-dev.jsonl", answer(0, 1, 0.7), answer(1, 1, 0.9))
    found = read_predictions(path, toy.settings("para"), "para")
    assert found.gold.tolist() == [0, 1]
    assert found.predicted.tolist() == [1, 1]
    assert found.probability == pytest.approx([0.7, 0.9], abs=1 / 500)
    again = read_predictions(path, toy.settings("para"), "para")
    assert again.digest == found.digest
    other = write_answers(tmp_path / "other.jsonl", answer(1, 1, 0.7), answer(1, 1, 0.9))
    assert read_predictions(other, toy.settings("para"), "para").digest != found.digest


def test_one_output_of_two_classes_is_held_within_a_probability(toy, tmp_path):
    rows = [{"gold": 1, "prediction": 1, "score": score} for score in (1.5, -0.2, 0.4)]
    found = read_predictions(
        write_answers(tmp_path / "p.jsonl", *rows), toy.settings("para"), "para"
    )
    assert found.probability == pytest.approx([1, 0, 0.4], abs=1 / 500)


def test_what_is_not_finite_counts_as_zero(toy, tmp_path):
    (tmp_path / "p.jsonl").write_text('{"id": "a", "gold": 2.5, "prediction": null}\n')
    found = read_predictions(tmp_path / "p.jsonl", toy.settings("sts"), "sts")
    assert found.predicted.tolist() == [0.0]
    assert found.probability is None


LABELS = {
    "kind": "multilabel_classification",
    "labels": ["sport", "art", "law"],
    "train": "t",
    "dev": "d",
}


def of_labels(toy, **changes):
    return toy.settings("sst", tasks={"sst": LABELS | changes})


def test_several_labels_of_a_row_come_back(toy, tmp_path):
    rows = [
        {"gold": [0, 2], "prediction": [0]}, {"gold": [], "prediction": [1]},
        {"gold": [1], "prediction": []},
    ]  # fmt: skip
    found = read_predictions(write_answers(tmp_path / "p.jsonl", *rows), of_labels(toy), "sst")
    assert found.gold.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert found.predicted.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found.probability is None
    assert not found.constant
    back = stored(tmp_path, found)
    assert back.digest == found.digest
    assert back.gold.tolist() == found.gold.tolist()
    assert back.predicted.tolist() == found.predicted.tolist()
    assert json.loads((tmp_path / f"labels-{found.digest}.json").read_text()) == {
        "labels": [[0, 2], [], [1]]
    }


def test_two_labels_that_may_both_hold_are_no_two_classes(toy, tmp_path):
    settings = of_labels(toy, labels=["sport", "art"])
    path = write_answers(tmp_path / "p.jsonl", {"gold": [0], "prediction": [0, 1]})
    assert read_predictions(path, settings, "sst").probability is None


@pytest.mark.parametrize("prediction", [3, [3], [-1], ["a"], [[0]], None, [0.5]])
def test_damaged_sets_are_refused(toy, tmp_path, prediction):
    path = write_answers(tmp_path / "p.jsonl", {"gold": [0], "prediction": prediction})
    with pytest.raises(UserError, match="damaged predictions"):
        read_predictions(path, of_labels(toy), "sst")


@pytest.mark.parametrize(
    "change", [{"sets": 9}, {"sets": 2}, {"predicted": ""}, {"predicted": "!"}, {"sets": None}]
)
def test_damaged_stored_sets_are_refused(toy, tmp_path, change):
    path = write_answers(tmp_path / "p.jsonl", {"gold": [0, 2], "prediction": [1]})
    content = store_predictions(read_predictions(path, of_labels(toy), "sst"), tmp_path)
    with pytest.raises(UserError, match="damaged record"):
        load_predictions(tmp_path / "r.json", StoredPredictions.model_validate(content | change))
