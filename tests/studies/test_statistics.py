"""Intervals against scipy, and samples against the plain definition."""

import math
import statistics as by_python

import numpy as np
import pytest
from scipy import stats

from mtbert.studies.statistics import (
    DRAWS,
    Interval,
    _counts,
    bootstrap,
    interval,
    mean_deviation,
    shown_interval,
)

VALUES = [0.51, 0.53, 0.48, 0.55]


@pytest.fixture(scope="module")
def rows():
    chance = np.random.default_rng(1)
    gold = chance.normal(size=200)
    return gold, gold + chance.normal(size=200)


@pytest.fixture(scope="module")
def classes():
    chance = np.random.default_rng(2)
    gold = chance.integers(5, size=400)
    return gold, np.where(chance.random(400) < 0.7, gold, (gold + 1) % 5)


def test_mean_and_deviation_are_pythons():
    assert mean_deviation(VALUES) == pytest.approx(
        (by_python.mean(VALUES), by_python.stdev(VALUES))
    )
    mean, deviation = mean_deviation([0.5])
    assert mean == 0.5
    assert math.isnan(deviation)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_without_rows_it_is_students_interval(level):
    found = interval(VALUES, level=level)
    expected = stats.t.interval(level, 3, np.mean(VALUES), stats.sem(VALUES))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.seeds, found.by_rows) == (4, None)


def test_one_value_alone_has_no_interval():
    found = interval([0.5])
    assert not found.is_known
    assert found.low == found.high == found.mean == 0.5


@pytest.mark.parametrize("metric", ["accuracy", "pearson"])
def test_a_sample_scores_as_its_rows_written_out(metric, rows, classes):
    gold, predicted = rows if metric == "pearson" else classes
    draws = bootstrap(metric, gold, predicted)
    assert draws.shape == (DRAWS,)
    for sample in (0, 7, DRAWS - 1):
        times = _counts(len(gold))[sample].astype(int)
        assert times.sum() == len(gold)
        x, y = np.repeat(gold, times), np.repeat(predicted, times)
        expected = np.mean(x == y) if metric == "accuracy" else stats.pearsonr(x, y)[0]
        assert draws[sample] == pytest.approx(expected, abs=1e-6)


def test_a_sample_of_several_labels_scores_as_sklearn_says():
    from sklearn.metrics import f1_score

    chance = np.random.default_rng(3)
    gold = (chance.random((150, 4)) < 0.3) * 1.0
    predicted = np.where(chance.random((150, 4)) < 0.8, gold, 1 - gold)
    draws = bootstrap("micro_f1", gold, predicted)
    for sample in (0, 7, DRAWS - 1):
        times = _counts(150)[sample].astype(int)
        x, y = (np.repeat(part, times, axis=0) for part in (gold, predicted))
        assert draws[sample] == pytest.approx(f1_score(x, y, average="micro"), abs=1e-9)
    assert np.isnan(bootstrap("micro_f1", gold * 0, gold * 0)).all()


def test_the_interval_of_an_accuracy_is_the_binomial_one(classes):
    """The bootstrap of a share is a binomial draw: its percentiles are known exactly."""
    gold, predicted = classes
    share = float(np.mean(gold == predicted))
    found = interval([share], bootstrap("accuracy", gold, predicted)[None])
    expected = stats.binom.ppf([0.025, 0.975], len(gold), share) / len(gold)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.004)


def test_the_interval_of_a_correlation_is_scipys(rows):
    gold, predicted = rows
    r = float(stats.pearsonr(gold, predicted)[0])
    found = interval([r], bootstrap("pearson", gold, predicted)[None])
    expected = stats.bootstrap(
        (gold, predicted), lambda x, y: np.corrcoef(x, y)[0, 1], paired=True, vectorized=False,
        n_resamples=2000, method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx(expected, abs=0.01)
    assert found.by_seeds is None


def test_seeds_and_rows_are_added_in_squares():
    spread = np.linspace(-0.1, 0.1, DRAWS)
    draws = np.stack([value + spread for value in VALUES])
    both, seeds, mean = interval(VALUES, draws), interval(VALUES), float(np.mean(VALUES))
    assert both.by_rows == pytest.approx(0.095, abs=1e-3)
    assert both.high - mean == pytest.approx(math.hypot(seeds.high - mean, 0.095), abs=1e-3)
    assert both.low < seeds.low


def test_equal_answers_differ_by_nothing(rows):
    gold, predicted = rows
    first = bootstrap("pearson", gold, predicted)
    found = interval(
        [0.0, 0.0], np.stack([first - bootstrap("pearson", gold, predicted.copy())] * 2)
    )
    assert found.low == found.high == 0


def test_constant_predictions_have_no_correlation(rows):
    assert np.isnan(bootstrap("pearson", rows[0], np.ones(200))).all()


def test_intervals_are_shown_with_their_signs():
    found = Interval(0.015, -0.02, 0.05, seeds=3, by_seeds=0.01, by_rows=None)
    assert shown_interval(found) == "+0.015 [-0.020, +0.050]"
    assert shown_interval(found, 1) == "+0.0 [-0.0, +0.1]"
    assert shown_interval(Interval(0.1, 0.1, 0.1, 1, None, None)) == "+0.100"


@pytest.mark.parametrize(("values", "by_seeds"), [([0.5], False), ([0.4, 0.6], True)])
def test_of_samples_that_are_all_undefined_nothing_is_known(values, by_seeds):
    found = interval(values, np.full((len(values), DRAWS), np.nan))
    assert found.by_rows is None
    assert found.is_known is by_seeds
    assert found == interval(values)
