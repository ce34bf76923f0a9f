"""Non-finite losses and gradients: which task caused them, what is done; exploding losses.

Nothing is computed for this while all is well: the losses and the norm of the whole gradient, which
are logged anyway, show it. Only when one of them is not finite is the step computed again and each
task looked at alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mtbert.data.batches import ExampleSource
from mtbert.distributed.processes import Processes
from mtbert.errors import TrainingError
from mtbert.methods.sampling.base import SuperBatch, TaskBatch, followed
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.table import example_losses
from mtbert.runs.state import State
from mtbert.training.gradients import StepGradients

__all__ = [
    "Fault",
    "NonFiniteLoss",
    "StepResult",
    "apply_policy",
    "bad_examples",
    "explodes",
    "finite_part",
    "warn_of_explosions",
]

_FIRST_LOSSES = 10
_EXPLOSION = 10.0
_SHOWN_IDS = 8

_log = logging.getLogger(__name__)


class NonFiniteLoss(TrainingError):
    """A loss or a gradient is NaN or infinite; the weights are those of the step before."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What the backward passes of a step, or of a part of it, left in `.grad`.

    Attributes:
        gradients: as they were computed.
        losses: of each task.
        norm: of the whole gradient, after aggregation and before clipping.
        watched: norms of the tasks' weighted shared gradients, where they were watched.
    """

    gradients: StepGradients
    losses: dict[str, float]
    norm: float
    watched: dict[str, float] = field(default_factory=dict)

    @property
    def task_norms(self) -> dict[str, float]:
        """Norms of the tasks' weighted shared gradients, as far as they are known."""
        return self.gradients.task_norms or self.watched

    @property
    def is_finite(self) -> bool:
        """Whether every loss and the norm are."""
        return all(map(math.isfinite, (self.norm, *self.losses.values())))


@dataclass(frozen=True, slots=True)
class Fault:
    """A task's part of a step that is not finite.

    Attributes:
        task: its name.
        what: is not finite.
        ids: of the examples that are to blame, as far as that is known.
    """

    task: str
    what: str
    ids: Sequence[str]

    def record(self, epoch: int, step: int, policy: str) -> dict[str, Any]:
        """As it is logged."""
        return {
            "kind": "non_finite",
            "epoch": epoch,
            "step": step,
            "task": self.task,
            "what": self.what,
            "ids": self.ids,
            "policy": policy,
        }

    def message(self, step: int) -> str:
        """As it is reported."""
        shown = ", ".join(self.ids[:_SHOWN_IDS]) + (", …" if len(self.ids) > _SHOWN_IDS else "")
        return f"task {self.task}, step {step}: {self.what}; examples {shown}"


def finite_part(
    step: SuperBatch, compute: Callable[[SuperBatch], StepResult]
) -> tuple[StepResult, dict[str, str]]:
    """Gradients of the step without the tasks whose loss or gradient is not finite.

    Args:
        step: of at least one task.
        compute: fills `.grad` anew for the tasks that it is given.

    Returns:
        What is in `.grad`, of no task if none is left, and what is wrong with those left out.
    """
    faults: dict[str, str] = {}
    result = compute(step)
    while found := _faults(result, step, compute):
        faults |= found
        step = {task: batch for task, batch in step.items() if task not in found}
        result = compute(step) if followed(step) else StepResult(StepGradients({}), {}, 0.0)
    return result, faults


def _faults(
    result: StepResult, step: SuperBatch, compute: Callable[[SuperBatch], StepResult]
) -> dict[str, str]:
    bad = {t: f"the loss is {x}" for t, x in result.losses.items() if not math.isfinite(x)}
    if bad or math.isfinite(result.norm):
        return bad
    step = followed(step)
    if len(step) > 1:
        for task, batch in step.items():
            if not math.isfinite(norm := compute({task: batch}).norm):
                bad[task] = f"the gradient's norm is {norm}"
    return bad or dict.fromkeys(step, f"the gradient's norm is {result.norm}")


@torch.no_grad()
def bad_examples(
    network: MultitaskNetwork, task: str, batch: TaskBatch, source: ExampleSource, parts: int = 1
) -> list[int]:
    """Rows of a batch whose own loss is not finite, without dropout; all of them if none is.

    They are computed in so many parts.
    """
    finite, scale = [], network.head(task).scale
    for part in np.array_split(np.arange(len(batch.indices)), min(parts, len(batch.indices))):
        labels = source.label_tensor(batch.indices[part], scale.standardise).to(network.device)
        order = None if batch.swapped is None else batch.swapped[part]
        outputs = network(task, source.inputs(batch.indices[part], order).to(network.device), None)
        losses = example_losses(network.tasks[task], outputs, labels)
        finite.append(losses.isfinite().view(len(part), -1).all(dim=1))
    bad = batch.indices[(~torch.cat(finite)).cpu().numpy()]
    return [int(row) for row in (bad if len(bad) else batch.indices)]


def apply_policy(
    policy: str, faults: Sequence[Fault], state: State, step: int, processes: Processes
) -> None:
    """Do what `training.non_finite` says of the parts of a step that are not finite.

    Args:
        policy: `stop`, `skip` or `halve`.
        faults: at least one.
        state: of the run; what was left out and the learning rates change in it.
        step: number of the step.
        processes: all of which find the same faults.

    Raises:
        NonFiniteLoss: the policy is to stop.
    """
    for fault in faults:
        state.left_out[fault.task] = state.left_out.get(fault.task, 0) + 1
    message = "; ".join(fault.message(step) for fault in faults)
    if policy == "stop":
        raise processes.raised_by_all(
            NonFiniteLoss(
                f"{message}; weights are those of the step before. A lower learning rate or a "
                "`clip` helps, or `training.non_finite: skip`"
            )
        )
    if policy == "halve":
        state.rate_factor /= 2
        message += f"; learning rates are now {state.rate_factor:g} of the configured"
    _log.warning("left out: %s", message)


def warn_of_explosions(losses: Mapping[str, float], state: State) -> None:
    """Warn, once for each task, that its loss explodes."""
    for task, loss in losses.items():
        first = state.first_losses.setdefault(task, [])
        if explodes(first, loss) and task not in state.exploded:
            state.exploded[task] = state.step
            _log.warning(
                "task %s, step %d: the loss explodes: %.3g, at first it was %.3g",
                task, state.step, loss, sum(first) / len(first),
            )  # fmt: skip


def explodes(first: list[float], loss: float) -> bool:
    """Whether a loss is over ten times the mean of the task's first ten.

    Args:
        first: those seen so far; while they are fewer than ten, a loss that does not explode is
            added.
        loss: a finite one.
    """
    if first and loss > _EXPLOSION * sum(first) / len(first):
        return True
    if len(first) < _FIRST_LOSSES:
        first.append(loss)
    return False
