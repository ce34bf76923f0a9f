"""Which examples each step of an epoch trains on, for data sets of different sizes.

A strategy is a pure function from the sizes of the data sets to the plan of one epoch. Order is a
function of seed, task, epoch and round (of pairs: and step) alone, so a run can be continued from
any step. Source: the paper, section 3.5, Methods 1 to 3 and equation 2.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCHEDULES", "Sizes", "Step", "TaskBatch", "epoch_length", "plan_epoch", "seed_from"]

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """One task's part of a step.

    Attributes:
        indices: `[batch]`, which examples.
        loss_factor: of the task's loss.
        swapped: `[batch]`, which pairs begin with their second text; None: none of them.
    """

    indices: Indices
    loss_factor: float = 1.0
    swapped: NDArray[np.bool_] | None = None


Step = dict[str, TaskBatch]
"""The batches of one super batch, by task."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a strategy may depend on, per task in order.

    Attributes:
        examples: number of examples.
        batch: examples of one batch; Method 1 takes the largest data set's and derives the rest.
        lengths: tokens of each example where batches are to be grouped by length, else None.
        cap: at most so many steps an epoch, or None.
        both_orders: tasks whose pairs are trained on in either order.
    """

    examples: Mapping[str, int]
    batch: Mapping[str, int]
    lengths: Mapping[str, NDArray[np.int64]] | None = None
    cap: int | None = None
    both_orders: frozenset[str] = frozenset()

    def batches(self, task: str) -> int:
        """Batches in one round of a task's data, the short last one included."""
        return _ceil(self.examples[task], self.batch[task])


def plan_epoch(strategy: str, sizes: Sizes, epoch: int, seed: int) -> Iterator[Step]:
    """The steps of one epoch (counted from 0), at most `sizes.cap` of them."""
    steps = itertools.islice(SCHEDULES[strategy](sizes, epoch, seed), sizes.cap)
    for number, step in enumerate(steps):
        for task in sizes.both_orders & step.keys():
            generator = np.random.default_rng(seed_from("swap", seed, task, epoch, number))
            swapped = generator.random(len(step[task].indices)) < 0.5
            step[task] = replace(step[task], swapped=swapped)
        yield step


def epoch_length(strategy: str, sizes: Sizes) -> int:
    """Number of steps of every epoch."""
    length = _LENGTHS[strategy](sizes)
    return length if sizes.cap is None else min(length, sizes.cap)


def method1(sizes: Sizes, epoch: int, seed: int) -> Iterator[Step]:
    """Fixed number of batches, proportional sizes, weighted losses (equation 2).

    The number of batches is that of the largest data set; each task's batch size is its size
    over that number, both rounded up. A loss is multiplied by the other tasks' batch sizes over
    its own; a task alone has weight 1. A task whose batches are used up is left out.
    """
    steps = _method1_length(sizes)
    batch = {task: _ceil(count, steps) for task, count in sizes.examples.items()}
    total = sum(batch.values())
    sizes = Sizes(sizes.examples, batch, sizes.lengths)
    streams = {task: _one_round(sizes, task, epoch, 0, seed) for task in batch}
    for _ in range(steps):
        step = {}
        for task, stream in streams.items():
            if (indices := next(stream, None)) is not None:
                others = total - batch[task]
                step[task] = TaskBatch(indices, others / batch[task] if others else 1.0)
        yield step


def method2(sizes: Sizes, epoch: int, seed: int) -> Iterator[Step]:
    """Fixed batch size until the largest data set is used up; the others are cycled.

    A cycled data set is shuffled anew each time round; its short last batch ends the round.
    """
    return _together(
        {task: _cycle(sizes, task, epoch, seed) for task in sizes.examples},
        max(sizes.batches(task) for task in sizes.examples),
    )


def method3(sizes: Sizes, epoch: int, seed: int) -> Iterator[Step]:
    """Fixed batch size until the smallest data set is used up; the rest is discarded."""
    return _together(
        {task: _one_round(sizes, task, epoch, 0, seed) for task in sizes.examples},
        _method3_length(sizes),
    )


def continued(sizes: Sizes, epoch: int, seed: int) -> Iterator[Step]:
    """Method 3 in which a data set goes on where the last epoch left it.

    Every example is used before any is used again, however much larger its data set is.
    """
    steps = epoch_length("continued", sizes)
    return _together(
        {task: _resumed(sizes, task, epoch * steps, seed) for task in sizes.examples}, steps
    )


SCHEDULES: dict[str, Callable[[Sizes, int, int], Iterator[Step]]] = {
    "method1": method1,
    "method2": method2,
    "method3": method3,
    "continued": continued,
}


def _method1_length(sizes: Sizes) -> int:
    largest = max(sizes.examples, key=lambda task: sizes.examples[task])
    return sizes.batches(largest)


def _method3_length(sizes: Sizes) -> int:
    return min(sizes.batches(task) for task in sizes.examples)


_LENGTHS: dict[str, Callable[[Sizes], int]] = {
    "method1": _method1_length,
    "method2": lambda sizes: max(sizes.batches(task) for task in sizes.examples),
    "method3": _method3_length,
    "continued": _method3_length,
}


def seed_from(*parts: object) -> int:
    """A 63-bit seed that depends on every part and on nothing else."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _together(streams: Mapping[str, Iterator[Indices]], steps: int) -> Iterator[Step]:
    for _ in range(steps):
        yield {task: TaskBatch(next(stream)) for task, stream in streams.items()}


def _cycle(sizes: Sizes, task: str, epoch: int, seed: int) -> Iterator[Indices]:
    for round_ in itertools.count():
        yield from _one_round(sizes, task, epoch, round_, seed)


def _resumed(sizes: Sizes, task: str, start: int, seed: int) -> Iterator[Indices]:
    round_, skipped = divmod(start, sizes.batches(task))
    first = _one_round(sizes, task, 0, round_, seed)
    yield from itertools.islice(first, skipped, None)
    for later in itertools.count(round_ + 1):
        yield from _one_round(sizes, task, 0, later, seed)


def _one_round(sizes: Sizes, task: str, epoch: int, round_: int, seed: int) -> Iterator[Indices]:
    """One pass over a task's data in batches, the last one short."""
    generator = np.random.default_rng(seed_from("order", seed, task, epoch, round_))
    order = generator.permutation(sizes.examples[task]).astype(np.int64)
    size = sizes.batch[task]
    if sizes.lengths is None:
        for start in range(0, len(order), size):
            yield order[start : start + size]
        return
    yield from _by_length(order, sizes.lengths[task], size, generator)


def _by_length(
    order: Indices, lengths: NDArray[np.int64], size: int, generator: np.random.Generator
) -> Iterator[Indices]:
    """Batches of similar length out of shuffled pools of 50 batches, in random order."""
    pool = 50 * size
    batches = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    for i in generator.permutation(len(batches)):
        yield batches[i]


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
