"""Interleaved: super batches, and between them steps of one task with what is left."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch, TaskBatch
from mtbert.methods.sampling.streams import shuffled

__all__ = ["Interleaved"]


class Interleaved(Sampler):
    """Every example once an epoch: super batches of all tasks, and steps of one task between them.

    There are as many super batches as the smallest data set has batches, as in method 3. What
    method 3 would discard of the larger ones is trained on in steps of one task, spread evenly
    between the super batches. So the tasks' gradients meet as often as they can without repeating
    an example. Leave it where one data set is much larger: its steps alone then outnumber all
    others. Not from the literature.
    """

    name: Literal["interleaved"] = "interleaved"

    def steps(self, spec: EpochSpec) -> int:
        together, left = _counts(spec)
        return together + sum(left.values())

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        together, left = _counts(spec)
        streams = {task: shuffled(spec, task, epoch, seed) for task in spec.examples}
        steps = [(tuple(streams), together), *(((task,), count) for task, count in left.items())]
        for _, tasks in heapq.merge(*(_spread(tasks, count) for tasks, count in steps)):
            yield {task: TaskBatch(next(streams[task])) for task in tasks}


def _counts(spec: EpochSpec) -> tuple[int, dict[str, int]]:
    """Super batches of an epoch, and the batches that each task has left."""
    batches = {task: spec.batches(task) for task in spec.examples}
    together = min(batches.values())
    return together, {task: count - together for task, count in batches.items()}


def _spread(tasks: tuple[str, ...], count: int) -> Iterator[tuple[float, tuple[str, ...]]]:
    """So many steps of these tasks, each at its time between 0 and 1."""
    for i in range(count):
        yield (i + 0.5) / count, tasks
