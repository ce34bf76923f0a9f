"""What picks the best epoch: the names that `training.select` may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtbert.config.messages import close_name
from mtbert.config.metrics import CLASS_METRICS, LOWER_IS_BETTER
from mtbert.config.tasks import TaskSettings

__all__ = ["BALANCED", "SUM", "Chosen", "parse_select", "select_problem"]

SUM = "sum"
BALANCED = "balanced"
"""Sums of the main metrics: as they are, or each in units of its standard error."""

_LISTED = 40
"""Names that a message lists at most."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One metric of one task, or of one of its classes.

    Attributes:
        task: its name.
        metric: its name.
        class_name: of the class, or None.
    """

    task: str
    metric: str
    class_name: str | None

    @property
    def lower_is_better(self) -> bool:
        """Whether it is an error."""
        return self.metric in LOWER_IS_BETTER


def parse_select(select: str) -> Chosen | None:
    """`TASK.METRIC` or `TASK.METRIC:CLASS` in parts; None for a sum."""
    if select in (SUM, BALANCED):
        return None
    task, _, rest = select.partition(".")
    metric, colon, name = rest.partition(":")
    return Chosen(task, metric, name if colon else None)


def select_problem(select: str, tasks: Mapping[str, TaskSettings]) -> str | None:
    """What is wrong with `training.select`, or None."""
    tasks = {name: task for name, task in tasks.items() if task.dev_files}
    if not tasks:
        return (
            "training.select: no task has a `dev` file to choose the best epoch on; set one, or "
            "`dev: 10%` to hold out rows of the training file"
        )
    chosen = parse_select(select)
    if chosen is not None and chosen.task in tasks and tasks[chosen.task].labels_unknown:
        return None  # checked again when the classes are known
    one = [f"{name}.{metric}" for name, task in tasks.items() for metric in task.metrics]
    valid = [BALANCED, SUM, *one]
    by_class = [
        f"{name}.{metric}:{class_name}"
        for name, task in tasks.items()
        if not task.labels_unknown
        for metric in CLASS_METRICS
        for class_name in task.class_names
    ]
    if select in valid or select in by_class:
        return None
    listed = ", ".join(valid[:_LISTED]) + (", …" if valid[_LISTED:] else "")
    example = f", or of one class, such as {by_class[0]}" if by_class else ""
    return (
        f"training.select: found {select!r}{close_name(select, valid + by_class)}; expected one of "
        f"{listed}{example}"
    )
