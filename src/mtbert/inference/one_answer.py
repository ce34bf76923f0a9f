"""Whether all answers to a set are one and the same, which no metric alone says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings

__all__ = ["one_answer"]

_NEARLY_NONE = 0.01
"""Of the labels' deviation: numbers that differ less are one answer."""

Array = NDArray[np.float64]


def one_answer(task: TaskSettings, gold: Array, predicted: Array) -> str | None:
    """The one answer to every row, in words; None where answers differ, or labels do not.

    Args:
        task: gives the kind and the classes.
        gold: `[examples]`, or of several labels `[examples, labels]`.
        predicted: the same of the answers, finite.
    """
    rows = len(gold)
    if rows < 2 or not (gold != gold[0]).any():
        return None
    if task.kind.is_regression:
        if np.std(predicted) > _NEARLY_NONE * np.std(gold):
            return None
        return f"all {rows} dev rows get about {np.mean(predicted):.4g}"
    if (predicted != predicted[0]).any():
        return None
    if task.kind.is_multilabel:
        names = [task.class_names[k] for k in np.flatnonzero(predicted[0])]
        return f"all {rows} dev rows get {', '.join(map(repr, names)) or 'no label'}"
    classes = len(np.unique(gold))
    answer = task.class_names[int(predicted[0])]
    return f"all {rows} dev rows get {answer!r}, while they are of {classes} classes"
