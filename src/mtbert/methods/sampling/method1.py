"""Method 1: a fixed number of batches of proportional sizes, and weighted losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch, TaskBatch
from mtbert.methods.sampling.streams import shuffled

__all__ = ["Method1"]


class Method1(Sampler):
    """Batches in proportion to the sizes of the data sets, losses weighted the other way round.

    An epoch has as many steps as the largest data set has batches. A task's batch is its number of
    examples over that number, rounded up; its loss is multiplied by the other tasks' batch sizes
    over its own (a task alone has factor 1). A task whose batches are used up is left out of the
    remaining steps. Source: the paper, section 3.5, Method 1 and equation 2.
    """

    name: Literal["method1"] = "method1"

    def steps(self, spec: EpochSpec) -> int:
        largest = max(spec.examples, key=lambda task: spec.examples[task])
        return spec.batches(largest)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        steps = self.steps(spec)
        sizes = {task: -(-count // steps) for task, count in spec.examples.items()}
        total = sum(sizes.values())
        spec = replace(spec, batch_size=sizes)
        streams = {task: shuffled(spec, task, epoch, seed) for task in sizes}
        for _ in range(steps):
            step = {}
            for task, stream in streams.items():
                if (indices := next(stream, None)) is not None:
                    others = total - sizes[task]
                    step[task] = TaskBatch(indices, others / sizes[task] if others else 1.0)
            yield step
