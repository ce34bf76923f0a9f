"""Metrics of a ranking of two classes by a score: area under the ROC curve, average precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ranking_scores"]

Array = NDArray[np.float64]


def ranking_scores(counts: Array, positive: NDArray[np.bool_], score: Array) -> dict[str, Array]:
    """`auc` and `average_precision` of samples, `[samples]` each; NaN where one class is missing.

    The area under the ROC curve is the probability that a positive row has the higher score than
    a negative one, ties counting half (Mann and Whitney 1947). Average precision is the mean of the
    precision at each distinct score, weighted by the recall that it adds, without interpolation
    (scikit-learn's definition).

    Args:
        counts: `[samples, rows]`, how often each row occurs; one row of ones for the data.
        positive: `[rows]`, whether a row is of the positive class.
        score: `[rows]`, higher for the positive class.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    weight, of_class = counts[:, order], positive[order]
    # [samples, distinct scores], from the highest score down
    right = np.add.reduceat(weight * of_class, starts, axis=1)
    wrong = np.add.reduceat(weight * ~of_class, starts, axis=1)
    above = np.cumsum(right, axis=1)
    positives, negatives = above[:, -1], wrong.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = ((above - right / 2) * wrong).sum(axis=1) / (positives * negatives)
        total = np.cumsum(right + wrong, axis=1)
        precision = np.where(total > 0, above / total, 0.0)
        average = (precision * right).sum(axis=1) / positives
    known = (positives > 0) & (negatives > 0)
    return {
        "auc": np.where(known, area, np.nan),
        "average_precision": np.where(known, average, np.nan),
    }
