"""The plan of a run as text, shown before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabulate import tabulate

from mtbert.config.settings import Settings
from mtbert.methods.sampling.schedules import Sizes, epoch_length, plan_epoch

__all__ = ["TaskPlan", "describe", "task_plans"]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What one epoch does with a task's data, counted from the plan itself.

    Attributes:
        rows: training examples.
        batches: batches an epoch.
        examples: examples an epoch.
        batch: size of the task's first batch.
        factor: the schedule's factor of the loss.
    """

    rows: int
    batches: int
    examples: int
    batch: int
    factor: float


def task_plans(batching: str, sizes: Sizes, seed: int) -> dict[str, TaskPlan]:
    """Count the first epoch's plan."""
    batches = dict.fromkeys(sizes.examples, 0)
    examples = dict.fromkeys(sizes.examples, 0)
    first: dict[str, tuple[int, float]] = {}
    for step in plan_epoch(batching, sizes, 0, seed):
        for task, batch in step.items():
            batches[task] += 1
            examples[task] += len(batch.indices)
            first.setdefault(task, (len(batch.indices), batch.loss_factor))
    return {
        task: TaskPlan(rows, batches[task], examples[task], *first.get(task, (0, 1.0)))
        for task, rows in sizes.examples.items()
    }


def describe(
    settings: Settings,
    sizes: Sizes,
    truncated: Mapping[str, int],
    trainable: tuple[int, int],
    hardware: str,
) -> str:
    """The plan as text.

    Args:
        settings: of the run.
        sizes: of the training data.
        truncated: training texts that were cut, by task.
        trainable: parameters of the encoder and of the heads that learn.
        hardware: precision, device and threads in use.
    """
    training = settings.training
    plans = task_plans(training.batching, sizes, settings.seed)
    total = sum(plan.examples for plan in plans.values())
    rows = [
        [
            name,
            plan.rows,
            plan.batches,
            plan.batch,
            f"{plan.examples / plan.rows:.2f}",
            f"{plan.examples / total:.0%}",
            f"{settings.tasks[name].loss_weight * plan.factor:g}",
            truncated[name],
        ]
        for name, plan in plans.items()
    ]
    headers = [
        "task", "rows", "batches an epoch", "batch", "passes an epoch", "share", "loss weight",
        "truncated",
    ]  # fmt: skip
    steps = epoch_length(training.batching, sizes)
    encoder, heads = trainable
    mode = settings.encoder.mode
    epochs = _count(training.epochs, "epoch")
    if mode == "heads_first":
        heads_first = _count(settings.encoder.heads_first_epochs, "epoch")
        epochs = f"{heads_first} of the heads alone, then {epochs}"
    return "\n".join(
        [
            tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * 7)),
            "",
            f"{epochs} of {_count(steps, 'step')} ({training.batching}, surgery "
            f"{training.surgery}); the best by {training.select} is kept",
            f"encoder {settings.encoder.path} ({mode}): {encoder:,} of its parameters learn, and "
            f"{heads:,} of the heads",
            f"{hardware}, seed {settings.seed}",
        ]
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
