"""Temperature sampling: one task a step, drawn by a power of the sizes of the data sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.one_task import all_batches, drawn_tasks, one_task_a_step

__all__ = ["Temperature"]


class Temperature(Sampler):
    """One task a step, drawn with p_i ~ N_i^exponent, between equal and proportional shares.

    N_i is the task's number of examples, 1 / exponent what is elsewhere called the temperature. An
    epoch has as many steps as all data sets have batches; smaller data sets are cycled, larger
    ones seen in part. Source: Stickland and Murray 2019, whose schedule of the square root has the
    exponent 0.5.
    """

    name: Literal["temperature"] = "temperature"
    exponent: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="0: all tasks alike; 0.5: by the square root; 1: by size."
    )

    def steps(self, spec: EpochSpec) -> int:
        return all_batches(spec)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        tasks = itertools.islice(drawn_tasks(spec, self.exponent, epoch, seed), self.steps(spec))
        return one_task_a_step(spec, tasks, epoch, seed)
