"""What settings that are not given meant before they had today's defaults.

The configuration in a run folder, and the key of a planned run, leave settings out. What an old one
left out must go on meaning what it meant, so the defaults of that time are kept here for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings

__all__ = ["FORMER", "differing", "with_former_defaults"]

FORMER: dict[str, dict[str, Any]] = {
    "encoder": {"heads_first_epochs": 3},
    "tasks": {"head": "cls", "features": "uv", "pair_encoding": "jointly"},
    "training": {
        "epochs": 10,
        "batch_size": 32,
        "learning_rate": None,
        "head_learning_rate": None,
        "schedule": "constant",
        "warmup": 0.0,
        "weight_decay": 0.0,
        "clip": None,
        "batching": "method3",
        "select": "sum",
        "checkpoint_every": None,
    },
}
"""By section; those of `tasks` hold for every task. Only settings whose default has changed."""


def with_former_defaults(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as plain values, with what it leaves out as it was understood once."""
    tasks = tree.get("tasks")
    changed: dict[str, Any] = {
        section: {**FORMER[section], **(tree.get(section) or {})}
        for section in ("encoder", "training")
        if isinstance(tree.get(section) or {}, Mapping)
    }
    if isinstance(tasks, Mapping):
        changed["tasks"] = {
            name: {**FORMER["tasks"], **task} if isinstance(task, Mapping) else task
            for name, task in tasks.items()
        }
    return {**tree, **changed}


def differing(settings: Settings) -> dict[str, Any]:
    """The settings that are not what is left out means, as plain values.

    What has the default of its own time is left out, so a default that changes, or a setting that
    is added later, changes nothing here for settings that stay what they are. Without the device,
    the threads, the place of the data and the words of the model card, which decide nothing.
    """
    excluded = {"device", "threads", "data", "card"}
    tree: dict[str, Any] = settings.model_dump(mode="json", exclude=excluded, exclude_defaults=True)
    whole = settings.model_dump(mode="json", exclude=excluded)
    if settings.encoder.mode != "heads_first" and settings.encoder.heads_first_epochs == "auto":
        whole["encoder"].update(FORMER["encoder"])
    for section in ("encoder", "training"):
        kept = _differing(tree.get(section, {}), whole[section], FORMER[section])
        tree.pop(section, None)
        if kept:
            tree[section] = kept
    for name, task in settings.tasks.items():
        former = {key: value for key, value in FORMER["tasks"].items() if _matters(key, task)}
        tree["tasks"][name] = _differing(tree["tasks"][name], whole["tasks"][name], former)
    return tree


def _matters(key: str, task: TaskSettings) -> bool:
    """Whether `auto` decides anything here; it stands where no form of a pair is asked for."""
    if key in ("features", "pair_encoding") and getattr(task, key) == "auto":
        return task.kind.is_pair and (
            key == "pair_encoding" or task.pair_encoding in ("auto", "separately")
        )
    return True


def _differing(
    kept: Mapping[str, Any], whole: Mapping[str, Any], former: Mapping[str, Any]
) -> dict[str, Any]:
    others = {key: value for key, value in kept.items() if key not in former}
    return others | {
        key: whole[key] for key, value in former.items() if key in whole and whole[key] != value
    }
