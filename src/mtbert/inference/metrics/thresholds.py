"""The probability above which a label is best given, judged on labelled rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BestThreshold", "best_thresholds"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """Where a metric is highest.

    Attributes:
        metric: `f1` of the positive class, or `mcc`.
        threshold: rows whose score is above it are positive.
        value: of the metric there.
        at_half: of the metric at 0.5.
    """

    metric: str
    threshold: float
    value: float
    at_half: float


def best_thresholds(positive: NDArray[np.bool_], score: Array) -> list[BestThreshold]:
    """The best thresholds for F1 and for MCC; empty where one class is missing.

    Every way to divide the rows by their score is tried. A threshold lies halfway between the two
    scores that it divides; of equally good ones the one nearest to 0.5 is taken. It is chosen on
    the rows that it is judged on, so its value is optimistic.

    Args:
        positive: `[rows]`, whether a row is of the positive class.
        score: `[rows]`, from 0 to 1 for probabilities.
    """
    if not positive.any() or positive.all():
        return []
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    # How many of the highest scores can be above a threshold: it cannot part equal ones.
    given = np.r_[0, np.flatnonzero(np.diff(falling)) + 1, len(falling)]
    right = np.r_[0, np.cumsum(positive[order])][given]
    thresholds = _thresholds(falling, given)
    half = int(np.searchsorted(given, (score > 0.5).sum()))
    thresholds[half] = 0.5  # it divides the rows just as well
    found = []
    for metric, values in _metrics(right, given, int(positive.sum()), len(score)).items():
        best = np.flatnonzero(values >= values.max() - 1e-12)
        chosen = best[np.argmin(np.abs(thresholds[best] - 0.5))]
        found.append(
            BestThreshold(
                metric, float(thresholds[chosen]), float(values[chosen]), float(values[half])
            )
        )
    return found


def _thresholds(falling: Array, given: Whole) -> Array:
    """A threshold below the `given` highest scores and not below any other, `[ways]`."""
    inner = given[1:-1]
    above, below = falling[inner - 1], falling[inner]
    middle = (above + below) / 2
    middle = np.where(middle < above, middle, below)  # of neighbouring floats
    found: Array = np.r_[falling[0], middle, np.nextafter(falling[-1], -np.inf)]
    return found


def _metrics(right: Whole, given: Whole, positives: int, rows: int) -> dict[str, Array]:
    """F1 and MCC where `given` rows are called positive, `right` of them rightly, `[ways]`."""
    called, all_rows = given.astype(np.float64), float(rows)
    spread = called * (all_rows - called) * positives * (all_rows - positives)
    with np.errstate(invalid="ignore", divide="ignore"):
        mcc = (right * all_rows - called * positives) / np.sqrt(spread)
    return {"f1": 2 * right / (called + positives), "mcc": np.where(spread > 0, mcc, 0.0)}
