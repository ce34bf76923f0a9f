"""One task's gradient on the shared parameters that is many times as long as the others'.

Where it is, a step goes where that task points, and the others learn little; squared errors of
labels from 0 to 10 beside classes do this. Norms are known at the steps that measure them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

from mtbert.config.targets import LOSSES
from mtbert.config.tasks import TaskSettings
from mtbert.methods.weighting.table import WEIGHTINGS
from mtbert.runs.state import State

__all__ = ["dominant", "is_raw", "warn_of_imbalance", "what_helps"]

_TIMES = 5.0
_MEASUREMENTS = 3
"""In a row, of one task, before anything is said."""
_LEARNED = 0.5
"""Of its first loss: a task that has come below needs no long gradient any more."""

_log = logging.getLogger(__name__)


def dominant(
    norms: Mapping[str, float], losses: Mapping[str, float], first: Mapping[str, Sequence[float]]
) -> tuple[str, float] | None:
    """The task with the longest gradient, and how many times the others' it is, or None.

    The others are those that have not learned much yet, and their length is the geometric mean:
    lengths are compared as ratios.

    Args:
        norms: of the tasks' weighted gradients on what they share.
        losses: of this step.
        first: of the first steps.
    """
    if len(norms) < 2 or not all(math.isfinite(norm) and norm > 0 for norm in norms.values()):
        return None
    longest = max(norms, key=lambda task: norms[task])
    others = [
        math.log(norms[task])
        for task in norms
        if task != longest and losses[task] > _LEARNED * sum(first[task]) / max(len(first[task]), 1)
    ]
    if not others:
        return None
    return longest, norms[longest] / math.exp(sum(others) / len(others))


def warn_of_imbalance(
    found: tuple[str, float] | None, tasks: Mapping[str, TaskSettings], state: State
) -> None:
    """Warn once a task has dominated for a while; again only if it comes to be another one.

    Args:
        found: by `dominant`, at a step that has been measured.
        tasks: of the run.
        state: of the run; `dominance` and `told_dominant` change in it.
    """
    if found is None or found[1] < _TIMES:
        state.dominance = []
        return
    task = found[0]
    state.dominance = [entry for entry in state.dominance if entry[0] == task][1 - _MEASUREMENTS :]
    state.dominance.append(found)
    if len(state.dominance) < _MEASUREMENTS or state.told_dominant == task:
        return
    state.told_dominant = task
    times = math.exp(sum(math.log(ratio) for _, ratio in state.dominance) / _MEASUREMENTS)
    _log.warning(
        "task %s, step %d: its gradient on what the tasks share is %.0f times as long as the "
        "others' and drowns them. What helps: %s",
        task, state.step, times, "; ".join(what_helps(task, tasks[task], times)),
    )  # fmt: skip


def is_raw(task: TaskSettings) -> bool:
    """Whether a regression is trained on its labels as they are, in their unit."""
    in_unit = task.kind.is_regression and LOSSES[task.loss_name].in_label_units
    return in_unit and task.target == "raw"


def what_helps(name: str, task: TaskSettings, times: float) -> list[str]:
    """Settings that shorten a task's gradient, the best first."""
    helps = []
    if task.kind.is_regression and LOSSES[task.loss_name].in_label_units:
        if is_raw(task):
            helps.append(f"`tasks.{name}.target: standardised`")
        bounded = [loss for loss, rule in LOSSES.items() if rule.on_regression and rule.needs_range]
        needs = "" if task.range else " with a `range`"
        helps += [f"`tasks.{name}.loss: {loss}`{needs}" for loss in bounded]
    helps.append(f"`tasks.{name}.loss_weight: {task.loss_weight / times:.1g}`")
    equal = [str(m.model_fields["name"].default) for m in WEIGHTINGS if m.needs_norms]
    return helps + [f"`training.weighting: {method}`" for method in equal]
