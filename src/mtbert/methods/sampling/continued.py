"""Method 3, with each data set resumed where the last epoch left it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch
from mtbert.methods.sampling.epoch import epoch_length
from mtbert.methods.sampling.streams import from_batch, side_by_side

__all__ = ["Continued"]


class Continued(Sampler):
    """Method 3 in which a larger data set goes on in the next epoch where it stopped.

    Every example is used before any is used again, however much larger its data set is. Not from
    the literature.
    """

    name: Literal["continued"] = "continued"

    def steps(self, spec: EpochSpec) -> int:
        return min(spec.batches(task) for task in spec.examples)

    def plan(self, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
        steps = epoch_length(self, spec)  # where the last epoch stopped depends on the cap
        streams = {task: from_batch(spec, task, epoch * steps, seed) for task in spec.examples}
        return side_by_side(streams, steps)
