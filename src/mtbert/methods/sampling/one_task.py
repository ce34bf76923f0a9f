"""Steps of one task each, in turn or drawn: what the samplers of single tasks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mtbert.methods.sampling.base import EpochSpec, SuperBatch, TaskBatch
from mtbert.methods.sampling.streams import cycled
from mtbert.methods.seeding import seed_from

__all__ = ["all_batches", "drawn_tasks", "one_task_a_step"]

_AT_ONCE = 1024


def all_batches(spec: EpochSpec) -> int:
    """Batches in one pass over all data sets: the steps of an epoch."""
    return sum(spec.batches(task) for task in spec.examples)


def one_task_a_step(
    spec: EpochSpec, tasks: Iterable[str], epoch: int, seed: int
) -> Iterator[SuperBatch]:
    """A step for each of these tasks, with its next batch; a data set that is used up is cycled."""
    streams = {task: cycled(spec, task, epoch, seed) for task in spec.examples}
    for task in tasks:
        yield {task: TaskBatch(next(streams[task]))}


def drawn_tasks(spec: EpochSpec, exponent: float, epoch: int, seed: int) -> Iterator[str]:
    """Tasks without end, drawn with probabilities p_i ~ N_i^exponent of N_i examples."""
    tasks = list(spec.examples)
    logs = exponent * np.log(list(spec.examples.values()))
    shares = np.exp(logs - logs.max())
    generator = np.random.default_rng(seed_from("task", seed, epoch))
    while True:
        for chosen in generator.choice(len(tasks), _AT_ONCE, p=shares / shares.sum()).tolist():
            yield tasks[chosen]
