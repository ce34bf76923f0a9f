"""Calibration: whether answers that are given with a confidence of p are right as often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "calibration"]

Array = NDArray[np.float64]

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose confidence is near each other's.

    Attributes:
        rows: how many.
        confidence: their mean.
        accuracy: the share of them that is right.
    """

    rows: int
    confidence: float
    accuracy: float


def calibration(confidence: Array, right: NDArray[np.bool_]) -> tuple[float, list[Bin]]:
    """Expected calibration error, and the bins that have rows.

    The mean distance of confidence and accuracy over ten bins of equal width, weighted by their
    rows (Guo et al. 2017, equation 3).

    Args:
        confidence: `[rows]`, the probability of the answer that was given.
        right: `[rows]`, whether it was right.
    """
    places = np.clip((confidence * _BINS).astype(np.int64), 0, _BINS - 1)
    bins = []
    for place in range(_BINS):
        of_bin = places == place
        if of_bin.any():
            told, true = float(confidence[of_bin].mean()), float(right[of_bin].mean())
            bins.append(Bin(int(of_bin.sum()), told, true))
    error = sum(b.rows * abs(b.confidence - b.accuracy) for b in bins) / len(confidence)
    return error, bins
