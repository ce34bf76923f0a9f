"""The metrics of a task from its labels and answers; scores of several tasks together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
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
from mtbert.inference.metrics.numbers import number_scores
from mtbert.inference.metrics.ranking import ranking_scores

__all__ = ["mean_score", "overall_score", "score", "scores_by_class", "undefined"]

Array = NDArray[np.float64]


def undefined(task: TaskSettings, gold: Array, outputs: Array) -> str | None:
    """Why metrics of a task are undefined, or None.

    Args:
        task: gives the kind.
        gold: `[examples]`, class numbers or values; `[examples, labels]` for several labels.
        outputs: `[examples, outputs]`, of the head.
    """
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        return f"{broken} of {len(outputs)} predictions are not finite"
    if not task.kind.is_regression:
        return None
    if len(gold) < 2:
        return "fewer than two examples"
    for name, values in (("labels", gold), ("predictions", outputs)):
        if np.ptp(values) == 0:
            return f"all {name} are {values.flat[0]:g}"
    return None


def score(
    task: TaskSettings, gold: Array, predicted: Array, positive: Array | None = None
) -> dict[str, float]:
    """Every metric of the task, the main one first; NaN where one is undefined.

    Args:
        task: gives the kind and the classes.
        gold: `[examples]`, class numbers or values; `[examples, labels]`, 0 or 1, for several
            labels.
        predicted: the same of the answers.
        positive: `[examples]`, the score of the second of two classes; None where there is none.
    """
    if not len(gold) or not np.isfinite(predicted).all():
        return dict.fromkeys(task.metrics, math.nan)
    if task.kind.is_regression:
        found = number_scores(gold, predicted)
    elif task.kind.is_multilabel:
        counts = count_labels(gold, predicted)
        exact = (gold == predicted).all(axis=1).mean()
        found = {name: float(value) for name, value in label_scores(counts, counts, exact).items()}
    else:
        found = _class_metrics(task, gold, predicted, positive)
    return {name: found.get(name, math.nan) for name in task.metrics}


def scores_by_class(
    task: TaskSettings, gold: Array, predicted: Array
) -> dict[str, dict[str, float]]:
    """F1, precision and recall of each class or label: by metric, then by its name.

    Empty for a regression, and where predictions are not finite. NaN for a class without rows.
    """
    if task.kind.is_regression or not len(gold) or not np.isfinite(predicted).all():
        return {}
    if task.kind.is_multilabel:
        counts = count_labels(gold, predicted)
    else:
        *_, counts = _counted(gold, predicted, len(task.class_names))
    return {
        metric: dict(zip(task.class_names, map(float, of(counts)), strict=True))
        for metric, of in BY_CLASS.items()
    }


def _counted(gold: Array, predicted: Array, classes: int) -> tuple[Cells, ClassCounts]:
    cells = confusion_cells(gold, predicted, classes)
    return cells, count_cells(cells, classes)


def _class_metrics(
    task: TaskSettings, gold: Array, predicted: Array, positive: Array | None
) -> dict[str, float]:
    cells, counts = _counted(gold, predicted, len(task.class_names))
    found = class_scores(counts, counts) | order_scores(cells, counts)
    scores = {name: float(value) for name, value in found.items()}
    if positive is not None and np.isfinite(positive).all():
        ranked = ranking_scores(np.ones((1, len(gold))), gold == 1, positive)
        scores |= {name: float(value[0]) for name, value in ranked.items()}
    return scores


def overall_score(scores: Mapping[str, float]) -> float:
    """The course's overall score of 2024 on when exactly sst, para and sts ran, else the mean.

    (SST accuracy + paraphrase accuracy + (STS Pearson + 1) / 2) / 3.

    Args:
        scores: main metric by task.
    """
    if set(scores) == {"sst", "para", "sts"}:
        return (scores["sst"] + scores["para"] + (scores["sts"] + 1) / 2) / 3
    return mean_score(scores)


def mean_score(scores: Mapping[str, float]) -> float:
    """Plain mean of the tasks' main metrics."""
    return sum(scores.values()) / len(scores)
