"""What a run forgets that trains its tasks one after the other: scores after every stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mtbert.runs.scores import shown_score

__all__ = ["Stage", "changes_since", "forgetting", "forgetting_rows"]


class Stage(NamedTuple):
    """The end of a task's training: the task, the step, every task's main metric on dev."""

    task: str
    step: int
    scores: dict[str, float | None]


def changes_since(stages: Sequence[Stage]) -> dict[str, float]:
    """By how much each earlier task's score changed from the end of its stage to the last one's.

    Tasks without a score at both times are left out.
    """
    changes = {}
    for task, _, scores in stages[:-1]:
        then, now = scores.get(task), stages[-1].scores.get(task)
        if then is not None and now is not None:
            changes[task] = now - then
    return changes


def forgetting(stages: Sequence[Stage]) -> dict[str, Any]:
    """As summary.json holds it: the stages, and the backward transfer, None of a single task.

    That is the mean of the changes since each earlier task's own stage; below zero, tasks were
    forgotten. Source: Lopez-Paz and Ranzato 2017, the metrics of continual learning.
    """
    changes = changes_since(stages)
    mean = sum(changes.values()) / len(changes) if changes else None
    return {"stages": [stage._asdict() for stage in stages], "backward_transfer": mean}


def forgetting_rows(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """What summary.json holds as a table: a row a stage, and the changes since each task's own."""
    stages = [Stage(**stage) for stage in found["stages"]]
    tasks = list(stages[-1].scores)
    rows = [
        [f"after {stage.task}", *(shown_score(stage.scores.get(task)) for task in tasks)]
        for stage in stages
    ]
    changes = changes_since(stages)
    last = [f"{changes[task]:+.4f}" if task in changes else "" for task in tasks]
    return ["", *tasks], [*rows, ["change since its stage", *last]]
