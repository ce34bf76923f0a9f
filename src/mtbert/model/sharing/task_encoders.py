"""Trunks in which each task has an encoder of its own, made of modules that tasks may share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from torch import Generator, Tensor, nn

from mtbert.batch import TokenBatch
from mtbert.model.by_task import ByTask
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Encoded, Partition, Trunk

__all__ = ["LinkedEncoders", "TaskEncoders", "linked"]

_M = TypeVar("_M", bound=nn.Module)


def linked(module: _M, **parts: nn.Module) -> _M:
    """A module of the same parts, not copies of them, but for the `parts` that are given.

    These come first: a parameter that stands in several places has its name from the first.
    """
    twin = copy.copy(module)
    twin._modules = {**parts, **module._modules, **parts}
    return twin


class TaskEncoders(Trunk):
    """An encoder for each task."""

    def __init__(self, by_task: Mapping[str, Encoder]) -> None:
        """Hold the encoders, in the order of the tasks."""
        super().__init__()
        self.by_task = ByTask(by_task)

    def encode(
        self,
        task: str,
        batch: TokenBatch,
        generator: Generator | None = None,
        *,
        first_only: bool = False,
        last_layers: int = 1,
    ) -> Encoded:
        """Hidden states of a batch, by the task's encoder."""
        encoder = self.by_task[task]
        layout = encoder.layout(batch)
        states = encoder.encode(
            batch.token_ids,
            batch.segment_ids,
            layout,
            generator,
            first_only=first_only,
            last_layers=last_layers,
        )
        return Encoded(states, layout)

    def pool(self, task: str, first: Tensor) -> Tensor:
        """Hidden states of first tokens `[S, W]` → pooled `[S, W]`, by the task's encoder."""
        return self.by_task[task].pool(first)


class LinkedEncoders(TaskEncoders):
    """The pretrained encoder, and for each task one that has modules in common with it.

    What is in common is shared by all tasks, what is not is the task's own.
    """

    def __init__(
        self, encoder: Encoder, tasks: Sequence[str], make: Callable[[Encoder], Encoder]
    ) -> None:
        """For each task, in their order, let `make` link an encoder to the pretrained one."""
        super().__init__({task: make(encoder) for task in tasks})
        self.encoder = encoder

    def partition(self) -> Partition:
        """What the tasks' encoders have in common with the pretrained one is shared."""
        pretrained = {id(p): f"encoder.{name}" for name, p in self.encoder.named_parameters()}
        used = {id(p) for encoder in self.by_task.values() for p in encoder.parameters()}
        own = {
            task: {
                f"own.{task}.{name}": p
                for name, p in encoder.named_parameters()
                if id(p) not in pretrained
            }
            for task, encoder in self.by_task.items()
        }
        shared = {pretrained[id(p)]: p for p in self.encoder.parameters() if id(p) in used}
        return Partition(shared, own)
