"""Which settings of a task its head was trained for: with others its weights mean nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mtbert.config.tasks import TaskSettings

__all__ = ["HEAD_SETTINGS", "differing_settings"]

HEAD_SETTINGS = (
    "kind", "class_names", "loss_name", "target", "range", "head", "layers", "hidden_size",
    "hidden_activation", "features", "pair_encoding",
)  # fmt: skip
"""Attributes of `TaskSettings`."""

_AS_WRITTEN = {"class_names": "labels", "loss_name": "loss"}


def differing_settings(
    one: TaskSettings, other: TaskSettings, attributes: Sequence[str] = HEAD_SETTINGS
) -> list[str]:
    """The settings in which two tasks differ, as a configuration names them."""
    found = [name for name in attributes if getattr(one, name) != getattr(other, name)]
    return [_AS_WRITTEN.get(name, name) for name in found]
