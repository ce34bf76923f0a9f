"""Sequential: one task after the other, with a memory of those before."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from mtbert.methods.sampling.base import EpochSpec, Indices, Sampler, SuperBatch, TaskBatch
from mtbert.methods.sampling.epoch import epoch_length
from mtbert.methods.sampling.one_task import all_batches
from mtbert.methods.sampling.streams import from_batch
from mtbert.methods.seeding import seed_from

__all__ = ["Sequential"]


class Sequential(Sampler):
    """Trains the tasks one after the other, in the order of the configuration.

    Each task has a stage of `epochs` passes over its data; all dev sets are scored at its end, and
    the run tells what was forgotten. An epoch is a share of the whole, with as many steps as all
    data sets have batches; `steps_per_epoch` shortens all stages alike.

    Aggregators that take constraints (`gem`, `agem`) also get a batch of every earlier task in
    each step, from `memory` of its examples, which are chosen at random once and gone through again
    and again. Each stage therefore makes a step dearer by one batch; with other aggregators the
    memory is not used and costs nothing. Set a constant learning rate, or the later tasks are
    trained at the lower ones, and mind that the model that is kept is that of the best evaluation.

    Leave it where all data are there at once: training on all tasks together forgets nothing.
    Source: the continuum of tasks and the episodic memory of Lopez-Paz and Ranzato 2017, who pass
    the whole memory through in every step.
    """

    name: Literal["sequential"] = "sequential"
    memory: Annotated[int, Field(ge=1)] = Field(
        256, description="Examples of each task that are kept to constrain the later ones."
    )

    def steps(self, spec: EpochSpec) -> int:
        return all_batches(spec)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        length = epoch_length(self, spec)
        tasks, starts = list(spec.examples), _stage_starts(spec, length)
        trained: dict[str, Iterator[Indices]] = {}
        kept: dict[str, Iterator[Indices]] = {}
        for number in range(epoch * length, (epoch + 1) * length):
            stage = bisect_right(starts, number) - 1
            task, begun, end = tasks[stage], starts[stage], starts[stage + 1]
            if task not in trained:
                trained[task] = from_batch(spec, task, number - begun, seed)
            step = {task: TaskBatch(next(trained[task]), ends_stage=number + 1 == end)}
            for earlier in tasks[:stage]:
                if earlier not in kept:
                    kept[earlier] = _remembered(spec, earlier, number, self.memory, seed)
                step[earlier] = TaskBatch(next(kept[earlier]), reference=True)
            yield step


def _stage_starts(spec: EpochSpec, length: int) -> list[int]:
    """The step at which each stage begins, and the one after the last stage."""
    passed = itertools.accumulate((spec.batches(task) for task in spec.examples), initial=0)
    steps, batches = spec.epochs * length, all_batches(spec)
    return [steps * before // batches for before in passed]


def _remembered(
    spec: EpochSpec, task: str, start: int, memory: int, seed: int
) -> Iterator[Indices]:
    """Batches of a task's memory without end, as if `start` of them had been taken already."""
    generator = np.random.default_rng(seed_from("memory", seed, task))
    size = min(memory, spec.examples[task])
    chosen = generator.choice(spec.examples[task], size, replace=False)
    places = from_batch(replace(spec, examples={task: size}, lengths=None), task, start, seed)
    for batch in places:
        yield chosen[batch]
