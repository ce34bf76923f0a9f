"""Calibration by hand."""

import numpy as np
import pytest

from mtbert.inference.metrics.calibration import Bin, calibration


def test_the_error_is_the_mean_distance_by_rows():
    confidence = np.array([0.62, 0.68, 0.95, 1.0])
    error, bins = calibration(confidence, np.array([True, False, True, True]))
    assert bins == [
        Bin(2, pytest.approx(0.65), 0.5),
        Bin(2, pytest.approx(0.975), 1.0),
    ]
    assert error == pytest.approx((2 * 0.15 + 2 * 0.025) / 4)


def test_answers_as_often_right_as_they_say_have_no_error():
    confidence = np.full(1000, 0.8)
    error, _ = calibration(confidence, np.arange(1000) < 800)
    assert error == pytest.approx(0)
