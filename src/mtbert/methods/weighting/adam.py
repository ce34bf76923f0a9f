"""Adam on a few plain numbers, for weights that are learned beside the network.

Its state are JSON values, so that a run goes on exactly. Source: Kingma and Ba 2015, Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Learned", "begin", "descend", "values"]

Learned = dict[str, dict[str, Any]]
"""By task: `value`, the running means `first` of gradients and `second` of their squares, and the
number of `updates`."""

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


def begin(tasks: Sequence[str], value: float) -> Learned:
    """One number a task, before the first update."""
    return {task: {"value": value, "first": 0.0, "second": 0.0, "updates": 0} for task in tasks}


def values(learned: Learned) -> dict[str, float]:
    """The numbers, by task."""
    return {task: float(one["value"]) for task, one in learned.items()}


def descend(learned: Learned, gradients: Mapping[str, float], rate: float) -> Learned:
    """After one update of the tasks that have a gradient; the others stay as they are."""
    return learned | {task: _updated(learned[task], g, rate) for task, g in gradients.items()}


def _updated(one: Mapping[str, Any], gradient: float, rate: float) -> dict[str, Any]:
    updates = one["updates"] + 1
    first = _FIRST * one["first"] + (1 - _FIRST) * gradient
    second = _SECOND * one["second"] + (1 - _SECOND) * gradient * gradient
    unbiased = first / (1 - _FIRST**updates)
    length = math.sqrt(second / (1 - _SECOND**updates)) + _TINY
    value = one["value"] - rate * unbiased / length
    return {"value": value, "first": first, "second": second, "updates": updates}
