"""Numbers that are no numbers: which task's part of a step is not finite, and losses that explode.

Nothing is computed for it while all is well: the losses and the norm of the whole gradient, which
are logged anyway, tell. Only when one of them is not finite is the step computed again and each
task looked at alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mtbert.methods.sampling.base import SuperBatch, TaskBatch
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.table import example_losses
from mtbert.training.gradients import ExampleSource, StepGradients

__all__ = ["Computed", "bad_examples", "explodes", "finite_part"]

_FIRST_LOSSES = 10
_EXPLOSION = 10.0


@dataclass(frozen=True, slots=True)
class Computed:
    """What the backward passes of a step, or of a part of it, left in `.grad`.

    Attributes:
        gradients: as they were computed.
        losses: of each task.
        norm: of the whole gradient, after surgery and before clipping.
    """

    gradients: StepGradients
    losses: dict[str, float]
    norm: float


def finite_part(
    step: SuperBatch, compute: Callable[[SuperBatch], Computed]
) -> tuple[Computed, dict[str, str]]:
    """Gradients of the step without the tasks whose loss or gradient is not finite.

    Args:
        step: of at least one task.
        compute: fills `.grad` anew for the tasks that it is given.

    Returns:
        What is in `.grad`, of no task if none is left, and what is wrong with those left out.
    """
    faults: dict[str, str] = {}
    computed = compute(step)
    while found := _faults(computed, step, compute):
        faults |= found
        step = {task: batch for task, batch in step.items() if task not in found}
        computed = compute(step) if step else Computed(StepGradients({}), {}, 0.0)
    return computed, faults


def _faults(
    computed: Computed, step: SuperBatch, compute: Callable[[SuperBatch], Computed]
) -> dict[str, str]:
    bad = {t: f"the loss is {x}" for t, x in computed.losses.items() if not math.isfinite(x)}
    if bad or math.isfinite(computed.norm):
        return bad
    if len(step) > 1:
        for task, batch in step.items():
            if not math.isfinite(norm := compute({task: batch}).norm):
                bad[task] = f"the gradient's norm is {norm}"
    return bad or dict.fromkeys(step, f"the gradient's norm is {computed.norm}")


@torch.no_grad()
def bad_examples(
    network: MultitaskNetwork, task: str, batch: TaskBatch, source: ExampleSource, parts: int = 1
) -> list[int]:
    """Rows of a batch whose own loss is not finite, without dropout; all of them if none is.

    They are computed in so many parts.
    """
    device = next(network.heads.parameters()).device
    finite = []
    for part in np.array_split(np.arange(len(batch.indices)), min(parts, len(batch.indices))):
        labels = source.label_tensor(batch.indices[part]).to(device)
        order = None if batch.swapped is None else batch.swapped[part]
        outputs = network(task, source.inputs(batch.indices[part], order).to(device), None)
        finite.append(torch.isfinite(example_losses(network.tasks[task], outputs, labels)))
    bad = batch.indices[(~torch.cat(finite)).cpu().numpy()]
    return [int(row) for row in (bad if len(bad) else batch.indices)]


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
