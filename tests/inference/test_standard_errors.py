"""Scores in units of their standard error: simulated, and at the ends of their ranges."""

import math

import numpy as np
import pytest

from mtbert.inference.standard_errors import in_standard_errors


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("rows", [30, 200])
def test_the_standard_error_of_a_share_is_one(share, rows):
    right = np.random.default_rng(1).binomial(rows, share, size=20_000)
    found = [in_standard_errors("accuracy", k / rows, rows) for k in right]
    assert np.std(found) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("rows", [30, 200])
def test_the_standard_error_of_a_correlation_is_one(correlation, rows):
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(2, 4_000, rows))
    y = correlation * x + math.sqrt(1 - correlation**2) * noise
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    found = [in_standard_errors("pearson", value, rows) for value in r]
    assert np.std(found) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("metric", ["accuracy", "micro_f1", "pearson"])
@pytest.mark.parametrize("rows", [1, 2, 3, 1_000_000])
def test_more_is_better_up_to_the_ends(metric, rows):
    values = np.linspace(0 if metric != "pearson" else -1, 1, 21)
    found = [in_standard_errors(metric, value, rows) for value in values]
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_what_is_undefined_stays_so():
    assert math.isnan(in_standard_errors("pearson", math.nan, 10))
    assert math.isnan(in_standard_errors("accuracy", math.nan, 10))


def test_noise_of_one_score_does_not_choose_against_another():
    """Of 100 rows each: two answers more, or a correlation of 0.931 in the place of 0.912."""
    early = in_standard_errors("accuracy", 0.97, 100) + in_standard_errors("pearson", 0.912, 100)
    late = in_standard_errors("accuracy", 0.95, 100) + in_standard_errors("pearson", 0.931, 100)
    assert 0.97 + 0.912 > 0.95 + 0.931
    assert early < late
