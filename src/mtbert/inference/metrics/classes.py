"""Metrics of exclusive classes, from how often each was right, true and predicted.

Every function takes counts with leading dimensions of any number, so that one formula serves the
data and a thousand bootstrap samples of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BY_CLASS",
    "Cells",
    "ClassCounts",
    "class_scores",
    "confusion_cells",
    "count_cells",
    "f1_by_class",
    "macro_f1",
    "order_scores",
    "precision_by_class",
    "recall_by_class",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """How often each class occurs.

    Attributes:
        right: `[…, classes]`, rows of the class that were predicted as it.
        gold: `[…, classes]`, rows of the class.
        predicted: `[…, classes]`, rows that were predicted as the class.
    """

    right: Array
    gold: Array
    predicted: Array

    @property
    def total(self) -> Array:
        """Rows, `[…]`."""
        rows: Array = self.gold.sum(axis=-1)
        return rows


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a confusion matrix that are not empty, or of many drawn from it.

    Attributes:
        rows: `[…, cells]`, how many rows fall into each.
        gold: `[cells]`, its true class.
        predicted: `[cells]`, its predicted class.
    """

    rows: Array
    gold: Whole
    predicted: Whole


def confusion_cells(gold: Array, predicted: Array, classes: int) -> Cells:
    """The cells of the confusion matrix of labels and answers, class numbers `[rows]` each."""
    numbers = gold.astype(np.int64) * classes + predicted.astype(np.int64)
    found, rows = np.unique(numbers, return_counts=True)
    return Cells(rows.astype(np.float64), found // classes, found % classes)


def count_cells(cells: Cells, classes: int) -> ClassCounts:
    """The counts of each class, `[…, classes]` each."""

    def total(chosen: NDArray[np.bool_], of: Whole) -> Array:
        """Sum the chosen cells into their classes."""
        onto = (of[chosen, None] == np.arange(classes)).astype(np.float64)
        summed: Array = cells.rows[..., chosen] @ onto
        return summed

    every = np.ones(len(cells.gold), np.bool_)
    diagonal = cells.gold == cells.predicted
    return ClassCounts(
        total(diagonal, cells.gold), total(every, cells.gold), total(every, cells.predicted)
    )


def precision_by_class(counts: ClassCounts) -> Array:
    """Share of the rows predicted as a class that are of it, `[…, classes]`.

    A class that is never predicted has 0; NaN if no row is of it either.
    """
    value = _ratio(counts.right, counts.predicted, 0.0)
    return np.where(counts.gold + counts.predicted > 0, value, np.nan)


def recall_by_class(counts: ClassCounts) -> Array:
    """Share of the rows of a class that were predicted as it; NaN where it has none."""
    return _ratio(counts.right, counts.gold, np.nan)


def f1_by_class(counts: ClassCounts) -> Array:
    """Harmonic mean of precision and recall; NaN where a class neither occurs nor is predicted."""
    return _ratio(2 * counts.right, counts.gold + counts.predicted, np.nan)


BY_CLASS: dict[str, Callable[[ClassCounts], Array]] = {
    "f1": f1_by_class,
    "precision": precision_by_class,
    "recall": recall_by_class,
}
"""Metrics of single classes, `[…, classes]` each."""


def class_scores(counts: ClassCounts, found: ClassCounts) -> dict[str, Array]:
    """Every metric that follows from the counts, `[…]` each.

    `f1` is the macro average: the mean of the F1 of *all* the task's classes; one that neither
    occurs nor is predicted counts 0 (scikit-learn's `zero_division=0` with `labels` given), so that
    every evaluation averages over the same classes. `balanced_accuracy` is the mean recall of the
    classes that occur. `mcc` is Matthews' correlation for any number of classes (Gorodkin 2004): 0
    where all predictions are one class, NaN where all rows are of one class.

    Args:
        counts: of the data, or of samples of it. A class that a sample lacks by chance is left out
            of that sample's averages.
        found: of the data.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = {
            "accuracy": counts.right.sum(axis=-1) / counts.total,
            "f1": macro_f1(counts, found),
            "balanced_accuracy": _mean_of_known(recall_by_class(counts)),
            "mcc": _mcc(counts),
        }
    if counts.gold.shape[-1] == 2:
        scores |= {f"{name}_positive": of(counts)[..., 1] for name, of in BY_CLASS.items()}
    return scores


def order_scores(cells: Cells, counts: ClassCounts) -> dict[str, Array]:
    """Metrics of classes in an order, `[…]` each.

    `mae` is the mean distance of the classes' numbers; `qwk` is Cohen's kappa with quadratic
    weights (Cohen 1968), NaN where all rows and all predictions are one class.

    Args:
        cells: of the data, or of samples of it.
        counts: what `count_cells` gives of them.
    """
    numbers = np.arange(counts.gold.shape[-1], dtype=np.float64)
    distance, total = cells.gold - cells.predicted, counts.total
    g1, g2 = counts.gold @ numbers, counts.gold @ numbers**2
    p1, p2 = counts.predicted @ numbers, counts.predicted @ numbers**2
    by_chance = g2 - 2 * g1 * p1 / total + p2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = 1 - cells.rows @ (distance**2) / by_chance
        return {
            "mae": cells.rows @ np.abs(distance) / total,
            "qwk": np.where(by_chance > 1e-9 * total, kappa, np.nan),
        }


def macro_f1(counts: ClassCounts, found: ClassCounts) -> Array:
    """Mean F1 of all classes; see `class_scores`."""
    never = found.gold + found.predicted == 0
    return _mean_of_known(np.where(never, 0.0, f1_by_class(counts)))


def _mcc(counts: ClassCounts) -> Array:
    total, right = counts.total, counts.right.sum(axis=-1)
    covariance = right * total - (counts.gold * counts.predicted).sum(axis=-1)
    of_gold = total**2 - (counts.gold**2).sum(axis=-1)
    of_predicted = total**2 - (counts.predicted**2).sum(axis=-1)
    value = covariance / np.sqrt(of_gold * of_predicted)
    value = np.where(of_predicted == 0, 0.0, value)
    return np.where(of_gold == 0, np.nan, value)


def _mean_of_known(values: Array) -> Array:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1), np.nan)


def _ratio(above: Array, below: Array, otherwise: float) -> Array:
    """A quotient, or `otherwise` where it is 0 / 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, otherwise)
