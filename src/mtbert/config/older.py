"""Configurations that an earlier version wrote out: what they do not name had other defaults."""

from __future__ import annotations

from typing import Any

from mtbert.config.former import with_former_defaults
from mtbert.config.targets import by_squared_error

__all__ = ["is_written_out", "keep_old_defaults", "with_old_target"]

_TRAINING = {
    "epochs", "batch_size", "schedule", "warmup", "weight_decay", "batching", "select",
    "keep_checkpoints", "log_every",
}  # fmt: skip
_TASK = {
    "kind", "columns", "head", "features", "pair_encoding", "dropout", "loss_weight", "on_bad_rows",
}  # fmt: skip
"""Keys that a run's config.yaml has always had."""


def is_written_out(tree: dict[str, Any]) -> bool:
    """Whether a configuration names every key that has a value, as RUN/config.yaml does.

    People write far fewer. A copy of the file, or an older run's, is known by this wherever it
    lies.
    """
    training, tasks = tree.get("training"), tree.get("tasks")
    if not isinstance(training, dict) or not isinstance(tasks, dict) or not tasks:
        return False
    every = all(isinstance(task, dict) and task.keys() >= _TASK for task in tasks.values())
    return every and training.keys() >= _TRAINING


def keep_old_defaults(tree: dict[str, Any]) -> None:
    """Name, in a configuration that is written out, what was the default of keys it lacks.

    A run's config.yaml gives the same run as long as it lies there, and so an old run goes on, is
    loaded and can be repeated as it was.
    """
    if is_written_out(tree):
        tree |= with_former_defaults(tree)
        tree["tasks"] = {name: with_old_target(task) for name, task in tree["tasks"].items()}


def with_old_target(task: dict[str, Any]) -> dict[str, Any]:
    """A task's keys as an earlier version wrote them: `target` was always `raw`."""
    if task.get("target") is None and task.get("uses") is None and by_squared_error(task):
        return {**task, "target": "raw"}
    return task
