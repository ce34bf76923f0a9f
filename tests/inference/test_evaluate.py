import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mtbert.data.batches import tokenize
from mtbert.data.examples import read_examples
from mtbert.inference.evaluate import Evaluation, EvaluationSet, evaluate
from mtbert.inference.model import MultitaskModel
from mtbert.inference.predict import compute_features
from mtbert.inference.standard_errors import in_standard_errors


@pytest.fixture(scope="module")
def model(finished):
    return MultitaskModel.from_pretrained(finished)


def sets_of(toy, model, *, frozen=False, **selects):
    found = []
    for name in ("sst", "para", "sts"):
        task = model.network.tasks[name]
        examples = read_examples(Path(toy.folder) / f"{name}-dev.csv", task).examples
        inputs = tokenize(examples, task, model.tokenizer, model.max_length)
        if frozen:
            inputs = compute_features(model.network, name, inputs)
        found.append(
            EvaluationSet(name, "dev", [e.id for e in examples], inputs, selects.get(name, True))
        )
    return found


def test_scores_are_those_of_the_predictions_against_the_file(toy, model):
    found = evaluate(model.network, sets_of(toy, model))
    assert list(found.dev) == ["sst", "para", "sts"]
    for task, rows in found.predictions.items():
        lines = (toy.folder / f"{task}-dev.csv").read_text("utf-8").splitlines()[1:]
        cells = [line.split(",") for line in lines]
        assert [row["id"] for row in rows] == [c[0] for c in cells]
        names = {"bad": 0, "good": 1}
        gold = np.array([names.get(c[-1], c[-1]) for c in cells], float)
        np.testing.assert_array_equal([row["gold"] for row in rows], gold)
        predicted = np.array([row["prediction"] for row in rows], float)
        if task == "sts":
            assert found.dev[task]["pearson"] == pytest.approx(stats.pearsonr(gold, predicted)[0])
            assert found.dev[task]["spearman"] == pytest.approx(stats.spearmanr(gold, predicted)[0])
        else:
            assert found.dev[task]["accuracy"] == np.mean(gold == predicted)


def test_gold_labels_that_are_not_whole_numbers_stay_as_they_are(toy, model):
    found = evaluate(model.network, sets_of(toy, model))
    assert {row["gold"] for row in found.predictions["sts"]} == {0, 2.5, 5}
    assert all(type(row["gold"]) is int for row in found.predictions["sst"])


def test_frozen_features_give_the_same_scores(toy, model):
    a = evaluate(model.network, sets_of(toy, model))
    b = evaluate(model.network, sets_of(toy, model, frozen=True))
    for task, metrics in a.dev.items():
        assert b.dev[task] == pytest.approx(metrics)


def test_a_further_set_is_reported_beside_and_does_not_select(toy, model):
    found = evaluate(model.network, sets_of(toy, model, sts=False))
    assert list(found.dev) == ["sst", "para"]
    assert list(found.others) == ["sts/dev"]
    assert list(found.predictions) == ["sst", "para", "sts-dev"]
    assert found.main == {name: found.dev[name]["accuracy"] for name in ("sst", "para")}


def test_the_main_metric_of_a_task_is_its_kinds(toy, model):
    found = evaluate(model.network, sets_of(toy, model))
    assert found.main["sst"] == found.dev["sst"]["accuracy"]
    assert found.main["sts"] == pytest.approx(found.dev["sts"]["pearson"], nan_ok=True)
    for name, value in found.balanced.items():
        rows = len(found.predictions[name])
        metric = "pearson" if name == "sts" else "accuracy"
        assert value == pytest.approx(in_standard_errors(metric, found.main[name], rows))


DEV = {
    "sst": {"accuracy": 0.5, "f1": 0.25},
    "para": {"accuracy": 0.75, "f1": 0.7},
    "sts": {"pearson": 0.5, "spearman": -0.5},
}


def test_what_selects_is_the_sum_or_one_metric():
    main = {"sst": 0.5, "para": 0.75, "sts": 0.5}
    found = Evaluation(DEV, {}, {}, {}, main)
    assert found.selection_score("sum") == 1.75
    assert found.selection_score("sts.spearman") == -0.5
    units = {"sst": 10.0, "para": math.nan, "sts": 2.5}
    found = Evaluation(DEV, {}, {}, {}, main, balanced=units)
    assert found.selection_score("balanced") == 12.5
    assert found.mean == pytest.approx(1.75 / 3)
    assert found.overall == pytest.approx((0.5 + 0.75 + 0.75) / 3)
