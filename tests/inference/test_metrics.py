import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mtbert.config.tasks import TargetKind, TaskSettings
from mtbert.inference.metrics import METRICS, mean_score, overall_score, score

accuracy, f1, pearson, spearman = (METRICS[n] for n in ("accuracy", "f1", "pearson", "spearman"))


def array(*values):
    return np.array(values, np.float64)


def test_accuracy_is_the_share_of_equal_classes():
    assert accuracy(array(0, 1, 2, 1), array(0, 1, 1, 1)) == 0.75
    assert accuracy(array(0), array(1)) == 0.0


def test_macro_f1_by_hand():
    # Class 0: 1 found, 0 wrong, 1 missed: 2/3. Class 1: 2, 1, 0: 4/5. Class 2 is never found: 0.
    assert f1(array(0, 0, 1, 1, 2), array(0, 1, 1, 1, 3)) == pytest.approx((2 / 3 + 4 / 5) / 4)
    assert f1(array(0, 0, 1, 1), array(0, 1, 1, 1)) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_correlations_by_hand():
    # x - mean: -1, 0, 1; y - mean: -4/3, -1/3, 5/3: (4/3 + 5/3) / sqrt(2 * 42/9).
    assert pearson(array(1, 2, 3), array(1, 2, 4)) == pytest.approx(3 / math.sqrt(2 * 42 / 9))
    assert spearman(array(1, 2, 3), array(1, 2, 40)) == pytest.approx(1.0)
    # Ranks 1, 2, 3 and 2, 1, 3: 1 - 6 * 2 / (3 * 8).
    assert spearman(array(1, 2, 3), array(5, 1, 9)) == pytest.approx(0.5)
    assert pearson(array(1, 2), array(2, 1)) == pytest.approx(-1.0)


@pytest.mark.parametrize("metric", [pearson, spearman])
@pytest.mark.parametrize(
    ("gold", "predicted"),
    [([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [0.5, 0.5, 0.5]), ([1, 1], [2, 2]), ([1], [2]), ([], [])],
)
def test_a_correlation_with_constants_is_nan(metric, gold, predicted):
    assert math.isnan(metric(array(*gold), array(*predicted)))


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60))
def test_metrics_equal_those_of_the_libraries(seed, size):
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, 4, (2, size)).astype(float)
    assert accuracy(gold, predicted) == np.mean(gold == predicted)
    expected = sklearn_metrics.f1_score(gold, predicted, average="macro")
    assert f1(gold, predicted) == pytest.approx(expected)
    x, y = source.normal(size=(2, size))
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    ranks = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    assert spearman(x, y) == pytest.approx(ranks)


@pytest.mark.parametrize("kind", TargetKind)
def test_every_metric_of_a_kind_is_reported_the_main_one_first(kind):
    labels = {} if kind.is_regression else {"labels": ["a", "b"]}
    task = TaskSettings.model_validate({"kind": kind, "train": "t", **labels})
    gold, predicted = array(0, 1, 1), array(0, 1, 0)
    if kind.is_multilabel:
        gold, predicted = np.stack([gold, 1 - gold], 1), np.stack([predicted, predicted], 1)
    found = score(task, gold, predicted)
    assert tuple(found) == task.metrics
    assert next(iter(found)) == task.main_metric
    assert all(type(value) is float for value in found.values())


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
    task = TaskSettings(kind="classification", train="t", labels=tuple("vwxyz"), loss="ordinal")
    gold, predicted = array(0, 2, 4, 4), array(0, 4, 4, 0)
    found = score(task, gold, predicted)
    assert found["accuracy"] == 1 / 2
    assert found["mae"] == pytest.approx((0 + 2 + 0 + 4) / 4)
    # 1 - (observed squared distances) / (those by chance); ranks that do not occur count too
    chance = np.mean([(g - p) ** 2 for g in gold for p in predicted])
    assert found["qwk"] == pytest.approx(1 - np.mean((gold - predicted) ** 2) / chance)
    assert math.isnan(score(task, array(1, 1), array(1, 1))["qwk"])


def test_the_overall_score_of_the_three_tasks_by_hand():
    # (0.5 + 0.8 + (0.4 + 1) / 2) / 3
    assert overall_score({"sst": 0.5, "para": 0.8, "sts": 0.4}) == pytest.approx(2.0 / 3)
    assert overall_score({"sts": -1.0, "sst": 0.0, "para": 0.0}) == 0.0


@pytest.mark.parametrize("names", [("sst", "para"), ("sst", "para", "sts", "x"), ("a", "b", "c")])
def test_of_other_tasks_the_overall_score_is_the_mean(names):
    scores = {name: 0.2 * i for i, name in enumerate(names)}
    assert overall_score(scores) == mean_score(scores) == pytest.approx(0.1 * (len(names) - 1))
