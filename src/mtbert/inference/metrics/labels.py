"""Metrics of tasks in which any number of labels holds at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbert.inference.metrics.classes import ClassCounts, macro_f1

__all__ = ["count_labels", "label_scores"]

Array = NDArray[np.float64]


def count_labels(gold: Array, predicted: Array, counts: Array | None = None) -> ClassCounts:
    """How often each label holds, is predicted, and both, `[labels]` or `[samples, labels]` each.

    Args:
        gold: `[rows, labels]` of 0 and 1.
        predicted: `[rows, labels]` of 0 and 1.
        counts: `[samples, rows]`, how often each row occurs in samples; None for once each.
    """
    weights = np.ones(len(gold)) if counts is None else counts
    return ClassCounts(weights @ (gold * predicted), weights @ gold, weights @ predicted)


def label_scores(counts: ClassCounts, found: ClassCounts, exact: Array) -> dict[str, Array]:
    """Every metric of sets of labels, `[…]` each.

    `micro_f1` is of all decisions together. `macro_f1` is the mean of the F1 of *all* the task's
    labels, of which one that neither occurs nor is predicted counts 0. `subset_accuracy` is the
    share of rows whose labels are all right.

    Args:
        counts: of the data, or of samples of it. A label that a sample lacks by chance is left out
            of that sample's average.
        found: of the data.
        exact: `[…]`, the share of rows whose labels are all right.
    """
    right, gold, predicted = (
        part.sum(axis=-1) for part in (counts.right, counts.gold, counts.predicted)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        micro = np.where(gold + predicted > 0, 2 * right / (gold + predicted), np.nan)
    return {"micro_f1": micro, "macro_f1": macro_f1(counts, found), "subset_accuracy": exact}
