"""Samples of rows, and intervals from them."""

import math

import numpy as np
import pytest
from scipy import stats

from mtbert.inference.metrics import bootstrap
from mtbert.inference.metrics.bootstrap import (
    DRAWS,
    concatenated,
    interval,
    resampled_cells,
    resampled_rows,
)


def test_samples_have_as_many_rows_and_are_the_same_each_time(monkeypatch):
    monkeypatch.setattr(bootstrap, "_CELLS", 7 * 300)
    chunks = list(resampled_rows(7))
    assert [len(chunk) for chunk in chunks] == [300, 300, 300, 100]
    drawn = np.concatenate(chunks)
    np.testing.assert_array_equal(drawn.sum(axis=1), 7)
    assert drawn.mean() == 1
    monkeypatch.setattr(bootstrap, "_CELLS", 1)
    np.testing.assert_array_equal(drawn, np.concatenate(list(resampled_rows(7))))


def test_cells_are_drawn_by_their_share():
    drawn = resampled_cells(np.array([30.0, 10.0, 60.0]))
    np.testing.assert_array_equal(drawn.sum(axis=1), 100)
    np.testing.assert_allclose(drawn.mean(axis=0), [30, 10, 60], atol=1)
    np.testing.assert_allclose(drawn.var(axis=0), [21, 9, 24], rtol=0.15)
    np.testing.assert_array_equal(drawn, resampled_cells(np.array([30.0, 10.0, 60.0])))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(3).normal(5, 2, 400)
    draws = concatenated(400, lambda counts: {"mean": counts @ values / 400})["mean"]
    assert draws.shape == (DRAWS,)
    low, high = interval(draws)
    half = stats.norm.ppf(0.975) * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_undefined_samples_are_left_out_and_nothing_but_them_has_no_interval():
    draws = np.r_[np.full(500, math.nan), np.linspace(0, 1, 500)]
    assert interval(draws) == pytest.approx((0.025, 0.975))
    assert interval(np.full(5, math.nan)) is None


def test_intervals_of_an_accuracy_cover_the_truth_as_often_as_they_say():
    source = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        right = source.binomial(150, 0.8)
        low, high = interval(resampled_cells(np.array([right, 150.0 - right]))[:, 0] / 150)
        covered += low <= 0.8 <= high
    assert 0.90 <= covered / 200 <= 0.99
