"""The plan of one epoch, for any sampler: step limit, order within pairs, counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mtbert.methods.sampling.base import EpochSpec, Sampler, SuperBatch, followed
from mtbert.methods.seeding import seed_from

__all__ = ["TaskPlan", "epoch_length", "plan_epoch", "task_plans"]


def epoch_length(sampler: Sampler, spec: EpochSpec) -> int:
    """Number of steps of every epoch, at most `spec.max_steps`."""
    length = sampler.steps(spec)
    return length if spec.max_steps is None else min(length, spec.max_steps)


def plan_epoch(sampler: Sampler, spec: EpochSpec, epoch: int, seed: int) -> Iterator[SuperBatch]:
    """The steps of one epoch (counted from 0), `epoch_length` of them.

    Pairs of `spec.both_orders` are turned by fair coins, a function of seed, task, epoch and step.
    """
    steps = itertools.islice(sampler.plan(spec, epoch, seed), epoch_length(sampler, spec))
    for number, step in enumerate(steps):
        for task in spec.both_orders & step.keys():
            generator = np.random.default_rng(seed_from("swap", seed, task, epoch, number))
            swapped = generator.random(len(step[task].indices)) < 0.5
            step[task] = replace(step[task], swapped=swapped)
        yield step


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What one epoch does with a task's data, counted from the plan itself.

    Attributes:
        rows: training examples.
        batches: batches an epoch, on average over all epochs.
        examples: examples an epoch, likewise.
        batch: size of the task's first batch.
        factor: the sampler's factor of the loss.
    """

    rows: int
    batches: int
    examples: int
    batch: int
    factor: float


def task_plans(sampler: Sampler, spec: EpochSpec, seed: int) -> dict[str, TaskPlan]:
    """Count the plan of all epochs, by task."""
    batches = dict.fromkeys(spec.examples, 0)
    examples = dict.fromkeys(spec.examples, 0)
    first: dict[str, tuple[int, float]] = {}
    plans = (plan_epoch(sampler, spec, epoch, seed) for epoch in range(spec.epochs))
    for step in itertools.chain.from_iterable(plans):
        for task, batch in followed(step).items():
            batches[task] += 1
            examples[task] += len(batch.indices)
            first.setdefault(task, (len(batch.indices), batch.loss_factor))
    return {
        task: TaskPlan(
            rows,
            round(batches[task] / spec.epochs),
            round(examples[task] / spec.epochs),
            *first.get(task, (0, 1.0)),
        )
        for task, rows in spec.examples.items()
    }
