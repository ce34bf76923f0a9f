"""Scores of tasks against scikit-learn, SciPy and by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mtbert.config.targets import TargetKind
from mtbert.config.tasks import TaskSettings
from mtbert.inference.metrics import (
    mean_score,
    overall_score,
    score,
    scores_by_class,
    undefined,
)


def array(*values):
    return np.array(values, np.float64)


def classes(count):
    names = [f"class {i}" for i in range(count)]
    return TaskSettings(kind="classification", train="t", labels=names)


NUMBERS = TaskSettings(kind="regression", train="t")


def test_accuracy_is_the_share_of_equal_classes():
    assert score(classes(3), array(0, 1, 2, 1), array(0, 1, 1, 1))["accuracy"] == 0.75
    assert score(classes(2), array(0), array(1))["accuracy"] == 0.0


def test_macro_f1_by_hand_is_over_all_classes_of_the_task():
    # Class 0: 1 found, 0 wrong, 1 missed: 2/3. Class 1: 2, 1, 0: 4/5.
    gold, predicted = array(0, 0, 1, 1), array(0, 1, 1, 1)
    assert score(classes(2), gold, predicted)["f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    # A third class that never occurs and is never predicted counts 0, in every evaluation.
    assert score(classes(3), gold, predicted)["f1"] == pytest.approx((2 / 3 + 4 / 5) / 3)


@pytest.mark.parametrize("count", [2, 3, 7])
@given(seed=st.integers(0, 10_000), size=st.integers(1, 60))
def test_scores_of_classes_equal_those_of_scikit_learn(count, seed, size):
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, count, (2, size)).astype(float)
    found = score(classes(count), gold, predicted)
    every = list(range(count))
    averaged = {"average": "macro", "labels": every, "zero_division": 0.0}
    assert found["accuracy"] == sklearn_metrics.accuracy_score(gold, predicted)
    assert found["f1"] == pytest.approx(sklearn_metrics.f1_score(gold, predicted, **averaged))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that do not occur
        balanced = sklearn_metrics.balanced_accuracy_score(gold, predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    if np.ptp(gold):
        assert found["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(gold, predicted))
    else:
        assert math.isnan(found["mcc"])
    if count == 2:
        of_second = {"pos_label": 1, "zero_division": 0.0}
        for name in ("f1", "precision", "recall"):
            if (gold == 1).any():
                of = getattr(sklearn_metrics, f"{name}_score")
                expected = of(gold, predicted, **of_second)
                assert found[f"{name}_positive"] == pytest.approx(expected)
    by_class = scores_by_class(classes(count), gold, predicted)
    expected = sklearn_metrics.precision_recall_fscore_support(
        gold, predicted, labels=every, zero_division=0.0
    )
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(np.nan_to_num(list(by_class[name].values())), values)


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60))
def test_scores_of_a_ranking_equal_those_of_scikit_learn(seed, size):
    source = np.random.default_rng(seed)
    gold = source.integers(0, 2, size).astype(float)
    positive = np.round(source.random(size), 1)  # with ties
    found = score(classes(2), gold, (positive > 0.5).astype(float), positive)
    if np.ptp(gold) == 0:
        assert math.isnan(found["auc"])
        assert math.isnan(found["average_precision"])
        return
    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(gold, positive))
    expected = sklearn_metrics.average_precision_score(gold, positive)
    assert found["average_precision"] == pytest.approx(expected)


def test_correlations_by_hand():
    # x - mean: -1, 0, 1; y - mean: -4/3, -1/3, 5/3: (4/3 + 5/3) / sqrt(2 * 42/9).
    found = score(NUMBERS, array(1, 2, 3), array(1, 2, 4))
    assert found["pearson"] == pytest.approx(3 / math.sqrt(2 * 42 / 9))
    assert score(NUMBERS, array(1, 2, 3), array(1, 2, 40))["spearman"] == pytest.approx(1.0)
    # Ranks 1, 2, 3 and 2, 1, 3: 1 - 6 * 2 / (3 * 8).
    assert score(NUMBERS, array(1, 2, 3), array(5, 1, 9))["spearman"] == pytest.approx(0.5)
    assert score(NUMBERS, array(1, 2), array(2, 1))["pearson"] == pytest.approx(-1.0)


def test_errors_by_hand_are_in_the_labels_unit():
    found = score(NUMBERS, array(1900, 2000, 2100), array(1910, 2000, 2070))
    assert found["mae"] == pytest.approx(40 / 3)
    assert found["rmse"] == pytest.approx(math.sqrt(1000 / 3))
    assert found["r2"] == pytest.approx(1 - 1000 / 20_000)


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60), shift=st.sampled_from([0, 2000]))
def test_scores_of_numbers_equal_those_of_the_libraries(seed, size, shift):
    source = np.random.default_rng(seed)
    gold, predicted = source.normal(shift, 1, size=(2, size))
    found = score(NUMBERS, gold, predicted)
    assert found["pearson"] == pytest.approx(np.corrcoef(gold, predicted)[0, 1])
    ranks = np.corrcoef(stats.rankdata(gold), stats.rankdata(predicted))[0, 1]
    assert found["spearman"] == pytest.approx(ranks)
    assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(gold, predicted))
    root = sklearn_metrics.root_mean_squared_error(gold, predicted)
    assert found["rmse"] == pytest.approx(root)
    assert found["r2"] == pytest.approx(sklearn_metrics.r2_score(gold, predicted))


@pytest.mark.parametrize(
    ("gold", "predicted", "defined"),
    [
        ([2, 2, 2], [1, 2, 3], {"mae", "rmse"}),
        ([1, 2, 3], [0.5, 0.5, 0.5], {"mae", "rmse", "r2"}),
        ([1, 1], [2, 2], {"mae", "rmse"}),
        ([1], [2], {"mae", "rmse"}),
        ([], [], set()),
        ([1, 2, 3], [1, 2, math.nan], set()),
    ],
)
def test_what_is_undefined_is_nan_and_the_rest_is_not(gold, predicted, defined):
    found = score(NUMBERS, array(*gold), array(*predicted))
    assert {name for name, value in found.items() if not math.isnan(value)} == defined


def test_scores_of_label_sets_by_hand():
    task = TaskSettings(kind="multilabel_classification", train="t", labels=("a", "b", "c"))
    gold = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float64)
    predicted = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    found = score(task, gold, predicted)
    # right 3 of 4 that hold and of 4 that are given; a: 2/2, b: 1 of 2 and of 2, c: never
    assert found["micro_f1"] == pytest.approx(3 / 4)
    assert found["macro_f1"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["subset_accuracy"] == pytest.approx(2 / 4)


def test_ordinal_classes_are_also_scored_by_the_distance_of_their_ranks():
    names = tuple("vwxyz")
    task = TaskSettings(kind="classification", train="t", labels=names, loss="ordinal")
    gold, predicted = array(0, 2, 4, 4), array(0, 4, 4, 0)
    found = score(task, gold, predicted)
    assert found["accuracy"] == 1 / 2
    assert found["mae"] == pytest.approx((0 + 2 + 0 + 4) / 4)
    # 1 - (observed squared distances) / (those by chance); ranks that do not occur count too
    chance = np.mean([(g - p) ** 2 for g in gold for p in predicted])
    assert found["qwk"] == pytest.approx(1 - np.mean((gold - predicted) ** 2) / chance)


@pytest.mark.parametrize("kind", [k for k in TargetKind if not k.is_multilabel])
def test_every_metric_of_a_kind_is_reported_the_main_one_first(kind):
    labels = {"labels": ["a", "b"]} if kind == "classification" else {}
    task = TaskSettings.model_validate({"kind": kind, "train": "t", **labels})
    found = score(task, array(0, 1, 1), array(0, 1, 0), array(0.1, 0.8, 0.3))
    first = ["accuracy", "f1"] if kind.is_classification else ["pearson", "spearman"]
    assert list(found)[:2] == first
    assert tuple(found) == task.metrics
    assert all(type(value) is float and math.isfinite(value) for value in found.values())


@pytest.mark.parametrize(
    ("gold", "outputs", "reason"),
    [
        ([1, 2], [[1.0], [math.nan]], "1 of 2 predictions are not finite"),
        ([1], [[1.0]], "fewer than two examples"),
        ([2, 2], [[1.0], [2.0]], "all labels are 2"),
        ([1, 2], [[3.0], [3.0]], "all predictions are 3"),
        ([1, 2], [[1.0], [3.0]], None),
    ],
)
def test_the_reason_is_told(gold, outputs, reason):
    assert undefined(NUMBERS, array(*gold), np.array(outputs)) == reason


def test_classes_are_undefined_only_where_outputs_are_no_numbers():
    assert undefined(classes(2), array(1, 1), np.array([[0.0, 1.0]] * 2)) is None
    found = score(classes(2), array(1, 1), array(math.nan, math.nan))
    assert set(map(math.isnan, found.values())) == {True}
    assert scores_by_class(classes(2), array(1), array(math.nan)) == {}
    assert scores_by_class(NUMBERS, array(1), array(2)) == {}


def test_the_overall_score_of_the_three_tasks_by_hand():
    # (0.5 + 0.8 + (0.4 + 1) / 2) / 3
    assert overall_score({"sst": 0.5, "para": 0.8, "sts": 0.4}) == pytest.approx(2.0 / 3)
    assert overall_score({"sts": -1.0, "sst": 0.0, "para": 0.0}) == 0.0


@pytest.mark.parametrize("names", [("sst", "para"), ("sst", "para", "sts", "x"), ("a", "b", "c")])
def test_of_other_tasks_the_overall_score_is_the_mean(names):
    scores = {name: 0.2 * i for i, name in enumerate(names)}
    assert overall_score(scores) == mean_score(scores) == pytest.approx(0.1 * (len(names) - 1))
