"""Classes of which a task has no example: it cannot learn them, or nobody sees whether it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.errors import shown

__all__ = ["missing_classes"]

_SHOWN = 5


def missing_classes(task: TaskSettings, labels: NDArray[np.float64]) -> str | None:
    """The classes, or of several labels the labels, that no example has, in words; else None.

    Args:
        task: names the classes; a regression has none.
        labels: `[examples]`, or `[examples, labels]` of 0 and 1; NaN where there is none.
    """
    names = task.class_names
    if labels.ndim == 2:
        there = set(np.flatnonzero((labels == 1).any(axis=0)).tolist())
    else:
        there = set(np.unique(labels[np.isfinite(labels)]).astype(int).tolist())
    missing = [name for number, name in enumerate(names) if number not in there]
    if not missing:
        return None
    told = ", ".join(shown(name) for name in missing[:_SHOWN])
    return told if len(missing) <= _SHOWN else f"{told}, … ({len(missing)} of {len(names)})"
