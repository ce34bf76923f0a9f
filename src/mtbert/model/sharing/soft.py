"""Soft sharing: one encoder a task, tied by a term of the loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mtbert.config.sharing import Soft
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Partition
from mtbert.model.sharing.task_encoders import TaskEncoders
from mtbert.model.sharing.ties import squared_distances, trace_norm

__all__ = ["SoftTrunk"]

_TIES: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "l2": squared_distances,
    "trace_norm": trace_norm,
}


class SoftTrunk(TaskEncoders):
    """Each task goes through a whole encoder of its own; all begin as the pretrained one."""

    def __init__(self, options: Soft, encoder: Encoder, tasks: Sequence[str]) -> None:
        """Give the first task the pretrained encoder, and the others copies of it."""
        first, *others = tasks
        super().__init__({first: encoder, **{task: copy.deepcopy(encoder) for task in others}})
        self._options = options

    def partition(self) -> Partition:
        """Nothing is shared; each task's encoder is its own."""
        return Partition(
            {},
            {
                task: {f"own.{task}.{name}": p for name, p in encoder.named_parameters()}
                for task, encoder in self.by_task.items()
            },
        )

    def penalty(self) -> Tensor | None:
        """The tie of every parameter of the encoders, added up, times the strength."""
        encoders = self.by_task.values()
        tied = list(zip(*(encoder.parameters() for encoder in encoders), strict=True))
        if len(encoders) == 1 or not any(p.requires_grad for weights in tied for p in weights):
            return None
        tie = _TIES[self._options.by]
        return self._options.strength * torch.stack([tie(weights) for weights in tied]).sum()

    def encoder_for(self, task: str | None) -> Encoder:
        """The task's encoder; what all share is the mean of the tasks' encoders, a copy."""
        encoders = self.by_task.values()
        if task is not None:
            return self.by_task[task]
        mean = copy.deepcopy(encoders[0])
        with torch.no_grad():
            for weights in zip(*(e.parameters() for e in (mean, *encoders)), strict=True):
                weights[0].copy_(torch.stack(weights[1:]).mean(0))
        return mean
