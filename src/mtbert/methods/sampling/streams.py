"""Shuffled batches of one data set, from which samplers build their steps.

The order is a function of seed, task, epoch and round alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.sampling.base import EpochSpec, Indices, SuperBatch, TaskBatch
from mtbert.methods.seeding import seed_from

__all__ = ["cycled", "from_batch", "shuffled", "side_by_side"]

_POOL = 50
"""Batches out of which examples of similar length are put together."""


def shuffled(
    spec: EpochSpec, task: str, epoch: int, seed: int, round_: int = 0
) -> Iterator[Indices]:
    """One pass over a task's data in batches, the last one short.

    Args:
        spec: batch sizes, and lengths where batches are grouped by them.
        task: whose data.
        epoch: the order depends on it, and
        seed: on this, and
        round_: on how often the data have been passed through in this epoch.
    """
    generator = np.random.default_rng(seed_from("order", seed, task, epoch, round_))
    order = generator.permutation(spec.examples[task]).astype(np.int64)
    size = spec.batch_size[task]
    if spec.lengths is None:
        for start in range(0, len(order), size):
            yield order[start : start + size]
        return
    yield from _by_length(order, spec.lengths[task], size, generator)


def cycled(spec: EpochSpec, task: str, epoch: int, seed: int) -> Iterator[Indices]:
    """Passes over a task's data without end, in a new order each time round."""
    for round_ in itertools.count():
        yield from shuffled(spec, task, epoch, seed, round_)


def from_batch(spec: EpochSpec, task: str, start: int, seed: int) -> Iterator[Indices]:
    """A task's batches without end, as if `start` of them had been taken already."""
    round_, skipped = divmod(start, spec.batches(task))
    first = shuffled(spec, task, 0, seed, round_)
    yield from itertools.islice(first, skipped, None)
    for later in itertools.count(round_ + 1):
        yield from shuffled(spec, task, 0, seed, later)


def side_by_side(streams: Mapping[str, Iterator[Indices]], steps: int) -> Iterator[SuperBatch]:
    """Steps that each take the next batch of every task."""
    for _ in range(steps):
        yield {task: TaskBatch(next(stream)) for task, stream in streams.items()}


def _by_length(
    order: Indices, lengths: NDArray[np.int64], size: int, generator: np.random.Generator
) -> Iterator[Indices]:
    """Batches of similar length out of shuffled pools, in random order."""
    pool = _POOL * size
    batches = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    for i in generator.permutation(len(batches)):
        yield batches[i]
