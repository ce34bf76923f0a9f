"""Proportional sampling: one task a step, drawn by the sizes of the data sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.one_task import all_batches, drawn_tasks, one_task_a_step

__all__ = ["Proportional"]


class Proportional(Sampler):
    """One task a step, drawn with a probability in proportion to its number of examples.

    An epoch has as many steps as all data sets have batches, so every data set is passed through
    about once. Draws are a function of seed and epoch. Leave it where one data set is much larger:
    the small ones are seldom seen. Source: the first of the schedules that Stickland and Murray
    2019 compare, p_i ~ N_i.
    """

    name: Literal["proportional"] = "proportional"

    def steps(self, spec: EpochSpec) -> int:
        return all_batches(spec)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        tasks = itertools.islice(drawn_tasks(spec, 1.0, epoch, seed), self.steps(spec))
        return one_task_a_step(spec, tasks, epoch, seed)
