"""Every metric of a task with its 95 % interval, of the whole set and of each class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.inference.metrics.bootstrap import concatenated, interval, resampled_cells
from mtbert.inference.metrics.classes import (
    BY_CLASS,
    Cells,
    ClassCounts,
    class_scores,
    confusion_cells,
    count_cells,
    order_scores,
)
from mtbert.inference.metrics.labels import count_labels, label_scores
from mtbert.inference.metrics.numbers import weighted_number_scores
from mtbert.inference.metrics.ranking import ranking_scores

__all__ = ["Ends", "intervals"]

Array = NDArray[np.float64]
Ends = tuple[float, float] | None
"""Lower and upper end of an interval; None where nothing is known."""


def intervals(
    task: TaskSettings, gold: Array, predicted: Array, positive: Array | None = None
) -> tuple[dict[str, Ends], dict[str, list[Ends]]]:
    """Intervals of the task's metrics by name, and of those of its classes by name and class.

    Args:
        task: gives the kind and the classes.
        gold: as `score` takes it, like the next two.
        predicted: finite.
        positive: finite, or None.
    """
    if task.kind.is_regression:
        draws = concatenated(
            len(gold), lambda counts: weighted_number_scores(counts, gold, predicted)
        )
        return _known(task, draws), {}
    if task.kind.is_multilabel:
        draws, counts = _label_draws(gold, predicted)
    else:
        draws, counts = _class_draws(gold, predicted, len(task.class_names))
        if positive is not None:
            draws |= concatenated(
                len(gold), lambda counts: ranking_scores(counts, gold == 1, positive)
            )
    by_class = {
        name: [interval(of_class) for of_class in of(counts).T] for name, of in BY_CLASS.items()
    }
    return _known(task, draws), by_class


def _class_draws(
    gold: Array, predicted: Array, classes: int
) -> tuple[dict[str, Array], ClassCounts]:
    cells = confusion_cells(gold, predicted, classes)
    drawn = Cells(resampled_cells(cells.rows), cells.gold, cells.predicted)
    counts = count_cells(drawn, classes)
    return class_scores(counts, count_cells(cells, classes)) | order_scores(drawn, counts), counts


def _label_draws(gold: Array, predicted: Array) -> tuple[dict[str, Array], ClassCounts]:
    right = (gold == predicted).all(axis=1).astype(np.float64)

    def counted(counts: Array) -> dict[str, Array]:
        found = count_labels(gold, predicted, counts)
        exact = counts @ right / len(gold)
        return {
            "right": found.right, "gold": found.gold, "predicted": found.predicted, "exact": exact,
        }  # fmt: skip

    drawn = concatenated(len(gold), counted)
    counts = ClassCounts(drawn["right"], drawn["gold"], drawn["predicted"])
    return label_scores(counts, count_labels(gold, predicted), drawn["exact"]), counts


def _known(task: TaskSettings, draws: Mapping[str, Array]) -> dict[str, Ends]:
    return {name: interval(draws[name]) if name in draws else None for name in task.metrics}
