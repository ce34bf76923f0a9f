"""The sampler interface: sizes of the data sets → the batches of every step of an epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.base import Method

__all__ = ["EpochSpec", "Indices", "Sampler", "SuperBatch", "TaskBatch", "followed"]

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """One task's part of a step.

    Attributes:
        indices: `[batch]`, which examples.
        loss_factor: of the task's loss.
        swapped: `[batch]`, which pairs begin with their second text; None: none of them.
        reference: its gradient constrains the step's direction and is not followed.
        ends_stage: the task has been trained to its end, and others follow it.
    """

    indices: Indices
    loss_factor: float = 1.0
    swapped: NDArray[np.bool_] | None = None
    reference: bool = False
    ends_stage: bool = False


SuperBatch = dict[str, TaskBatch]
"""What one step trains on: a batch of each task, or of some of them."""


def followed(step: SuperBatch) -> SuperBatch:
    """The batches that a step trains on, without those that only constrain it."""
    return {task: batch for task, batch in step.items() if not batch.reference}


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSpec:
    """What the plan of an epoch may depend on, by task in order.

    Attributes:
        examples: number of examples.
        batch_size: examples of one batch.
        epochs: of the phase in all.
        lengths: tokens of each example where batches are to be grouped by length, else None.
        max_steps: at most so many steps an epoch, or None.
        both_orders: tasks whose pairs are trained on in either order.
    """

    examples: Mapping[str, int]
    batch_size: Mapping[str, int]
    epochs: int
    lengths: Mapping[str, NDArray[np.int64]] | None = None
    max_steps: int | None = None
    both_orders: frozenset[str] = frozenset()

    def batches(self, task: str) -> int:
        """Batches in one pass over a task's data, the short last one included."""
        return -(-self.examples[task] // self.batch_size[task])


class Sampler(Method, ABC):
    """Decides which examples of which task each step of an epoch trains on.

    A plan is a function of its arguments alone (`streams.shuffled` gives the orders), so that a
    run can go on from any step. `max_steps` and `both_orders` of the specification are applied to
    the plans of all samplers alike, in `plan_epoch`.
    """

    @abstractmethod
    def steps(self, spec: EpochSpec) -> int:
        """Number of steps of every epoch, without regard to `max_steps`."""

    @abstractmethod
    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        """The steps of one epoch, counted from 0; at least `steps` of them, each of some task."""
