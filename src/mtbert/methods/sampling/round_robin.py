"""Round robin: one task a step, the tasks in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.one_task import all_batches, one_task_a_step

__all__ = ["RoundRobin"]


class RoundRobin(Sampler):
    """One task a step, in turn, each as often as the others.

    An epoch has as many steps as all data sets have batches. Smaller data sets are cycled, larger
    ones seen in part, other examples every epoch. The tasks' gradients never meet in a step, so
    there is nothing to weigh or to project. Leave it where sizes differ much: the smallest data
    set is seen most often.
    """

    name: Literal["round_robin"] = "round_robin"

    def steps(self, spec: EpochSpec) -> int:
        return all_batches(spec)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        tasks = itertools.islice(itertools.cycle(spec.examples), self.steps(spec))
        return one_task_a_step(spec, tasks, epoch, seed)
