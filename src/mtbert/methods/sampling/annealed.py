"""Annealed sampling: from proportional to nearly equal shares over the epochs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.one_task import all_batches, drawn_tasks, one_task_a_step

__all__ = ["Annealed"]


class Annealed(Sampler):
    """One task a step, drawn by size at first and more and more equally.

    In epoch e of E, counted from 1, task i of N_i examples is drawn with

        p_i ~ N_i^a        a = 1 - decay (e - 1) / (E - 1)

    and a = 1 if there is but one epoch. So the small data sets are not worn out early, and the
    large ones do not outweigh them late. An epoch has as many steps as all data sets have batches.
    Source: Stickland and Murray 2019, whose decay is 0.8.
    """

    name: Literal["annealed"] = "annealed"
    decay: Annotated[float, Field(ge=0, le=1)] = Field(
        0.8, description="How far the exponent has fallen from 1 in the last epoch."
    )

    def steps(self, spec: EpochSpec) -> int:
        return all_batches(spec)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        exponent = 1 - self.decay * epoch / max(spec.epochs - 1, 1)
        tasks = itertools.islice(drawn_tasks(spec, exponent, epoch, seed), self.steps(spec))
        return one_task_a_step(spec, tasks, epoch, seed)
