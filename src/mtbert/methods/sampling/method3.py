"""Method 3: until the smallest data set is used up; the rest of the others is discarded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.streams import shuffled, side_by_side

__all__ = ["Method3"]


class Method3(Sampler):
    """Fixed batch sizes until the smallest data set is used up; what is left is discarded.

    Each epoch draws other examples of the larger data sets. Source: the paper, section 3.5,
    Method 3.
    """

    name: Literal["method3"] = "method3"

    def steps(self, spec: EpochSpec) -> int:
        return min(spec.batches(task) for task in spec.examples)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        streams = {task: shuffled(spec, task, epoch, seed) for task in spec.examples}
        return side_by_side(streams, self.steps(spec))
