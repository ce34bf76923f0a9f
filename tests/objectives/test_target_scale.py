import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.objectives.target_scale import RAW, TargetScale, fit_scale

numbers = st.floats(-3.4e38, 3.4e38, allow_nan=False)


@pytest.mark.parametrize(
    "labels",
    [
        [1900.0, 1950.5, 2100.0],
        [1.7e9 - 1000, 1.7e9, 1.7e9 + 999.25],
        [1e-6, 3e-6, 2.5e-6],
        [-3.4e38, 3.4e38, 3.4e38],
        [1e-300, 2e-300, 4e-300],
        [0.0, 0.0, 0.0, 1.0],
    ],
)
def test_mean_and_deviation_are_those_of_the_labels(labels):
    scale = fit_scale(np.array(labels))
    exact = [Fraction(x) for x in labels]
    mean = sum(exact) / len(exact)
    assert scale.mean == pytest.approx(float(mean), rel=1e-15)
    unit = max(abs(x - mean) for x in exact)
    squares = sum(((x - mean) / unit) ** 2 for x in exact) / len(exact)
    assert scale.deviation == pytest.approx(float(unit) * math.sqrt(squares), rel=1e-9)


@pytest.mark.parametrize("labels", [[7.0], [7.0, 7.0, 7.0]])
def test_one_value_alone_has_the_deviation_one(labels):
    assert fit_scale(np.array(labels)) == TargetScale(7.0, 1.0)


def test_the_order_of_the_labels_changes_no_bit():
    labels = np.random.default_rng(1).normal(1.7e9, 1e3, 10_000)
    assert fit_scale(labels) == fit_scale(np.sort(labels)) == fit_scale(labels[::-1])


@given(st.lists(numbers, min_size=1, max_size=20))
def test_any_labels_can_be_told_again(labels):
    """Also in float32, in which they are trained on, to a few parts in ten million."""
    values = np.array(labels)
    scale = fit_scale(values)
    trained = scale.standardise(values)
    assert np.isfinite(trained).all()
    assert np.isfinite(trained.astype(np.float32)).all()
    again = scale.restore(trained.astype(np.float32).astype(np.float64))
    room = max(scale.deviation * np.abs(trained).max(), np.spacing(np.abs(values).max()) * 1e9)
    assert np.abs(again - values).max() <= 1e-6 * room


def test_seconds_since_1970_are_told_apart():
    seconds = 1.7e9 + np.arange(-1000.0, 1001)
    scale = fit_scale(seconds)
    trained = scale.standardise(seconds).astype(np.float32).astype(np.float64)
    assert np.abs(scale.restore(trained) - seconds).max() < 1e-3


def test_raw_labels_are_themselves():
    labels = np.array([0.1, -2.0, np.nan])
    assert RAW.standardise(labels) is labels
    assert RAW.restore(labels) is labels
    assert RAW.squared_unit == 1


def test_an_error_of_one_in_training_is_the_variance():
    assert TargetScale(5.0, 3.0).squared_unit == 9
