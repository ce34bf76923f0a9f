"""Method 2: until the largest data set is used up; the others are cycled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.streams import cycled, side_by_side

__all__ = ["Method2"]


class Method2(Sampler):
    """Fixed batch sizes until the largest data set is used up; the others are cycled.

    A cycled data set is shuffled anew each time round; its short last batch ends the round.
    Source: the paper, section 3.5, Method 2.
    """

    name: Literal["method2"] = "method2"

    def steps(self, spec: EpochSpec) -> int:
        return max(spec.batches(task) for task in spec.examples)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        streams = {task: cycled(spec, task, epoch, seed) for task in spec.examples}
        return side_by_side(streams, self.steps(spec))
