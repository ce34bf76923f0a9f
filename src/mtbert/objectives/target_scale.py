"""The scale of a regression's target: mean and standard deviation of its training labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RAW", "TargetScale", "fit_scale"]


@dataclass(frozen=True, slots=True)
class TargetScale:
    """Labels `y` are trained on as `(y - mean) / deviation`. Both directions are float64.

    What a head computes in float32 is a number about zero of size one. Seconds since 1970, of
    which float32 can tell no two within a minute apart, are thus as good a target as any.

    Attributes:
        mean: in the labels' unit.
        deviation: in the labels' unit, above 0.
    """

    mean: float = 0.0
    deviation: float = 1.0

    def standardise(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels in their own unit → what is trained on, of the same shape."""
        return labels if self == RAW else (labels - self.mean) / self.deviation

    def restore(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs of a head → the labels' unit, of the same shape."""
        return outputs if self == RAW else self.mean + self.deviation * outputs

    @property
    def squared_unit(self) -> float:
        """The squared error in the labels' unit of one that is 1 in training."""
        return self.deviation**2


RAW = TargetScale()
"""Labels as they are."""


def fit_scale(labels: NDArray[np.float64]) -> TargetScale:
    """The scale of training labels; of one value alone the deviation counts as 1.

    Sums are exactly rounded (`math.fsum`), so every machine finds the same bits, and deviations
    are summed in proportion to the largest, so no square is too large or too small.

    Args:
        labels: `[examples]`, finite, at least one.
    """
    if np.ptp(labels) == 0:
        return TargetScale(float(labels[0]))
    mean = math.fsum(labels.tolist()) / len(labels)
    distances = np.abs(labels - mean)
    largest = float(distances.max())
    squares = math.fsum(((distances / largest) ** 2).tolist())
    return TargetScale(mean, largest * math.sqrt(squares / len(labels)))
