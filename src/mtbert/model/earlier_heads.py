"""The heads of a run's model that serves another run as its encoder: kept, or said to be new."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError

from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError, problem_list
from mtbert.io.bounded import is_file, read_json
from mtbert.model.network import MultitaskNetwork
from mtbert.model.tensors import float32_copies, mismatches, read_tensors, unusable

__all__ = ["start_heads"]

_META, _HEADS = "mtbert.json", "heads.safetensors"
_SAME = ("kind", "class_names", "loss_name", "range", "head", "features", "pair_encoding")
"""Settings that decide what a head's weights mean."""

_log = logging.getLogger(__name__)


def start_heads(network: MultitaskNetwork, folder: Path, *, keep: bool) -> None:
    """Let freshly initialised heads start from those of the encoder's folder, or say they do not.

    A head is kept where a task of its name has the settings that it was trained with.

    Args:
        network: with an encoder read from `folder`.
        folder: of an encoder, perhaps a run's model.
        keep: whether `encoder.heads` asks for it.

    Raises:
        UserError: there are no heads to keep, none that fits, or the file is damaged.
    """
    earlier = _earlier_tasks(folder)
    if not keep:
        if earlier:
            _log.info(
                "%s: its heads (%s) are not used, the heads of this run are new; "
                "encoder.heads=keep starts from those of tasks of the same name and settings",
                folder, ", ".join(earlier),
            )  # fmt: skip
        return
    if not earlier:
        raise UserError(
            f"encoder.heads: found keep, but {folder} is no run's model and has no heads"
        )
    kept, others = [], []
    for name in network.heads:
        reason = _why_not(earlier.get(name), network.tasks[name])
        if reason is None:
            kept.append(name)
        else:
            others.append(f"{name} ({reason})")
    if not kept:
        raise UserError(
            f"encoder.heads: found keep, but no head of {folder} fits: {', '.join(others)}"
        )
    _copy_heads(network, folder / _HEADS, kept)
    new = f"; new heads: {', '.join(others)}" if others else ""
    _log.info("%s: starts from its heads of %s%s", folder, ", ".join(kept), new)


def _earlier_tasks(folder: Path) -> Mapping[str, TaskSettings]:
    """The tasks of a run's model; none for another encoder's folder."""
    if not is_file(folder / _META) or not is_file(folder / _HEADS):
        return {}
    try:
        tasks = read_json(folder / _META)["tasks"]
        return {name: TaskSettings.model_validate(task) for name, task in tasks.items()}
    except (KeyError, AttributeError, ValidationError):
        raise UserError(
            f"{folder / _META}: damaged; remove it to use the folder as an encoder alone"
        ) from None


def _why_not(earlier: TaskSettings | None, task: TaskSettings) -> str | None:
    if earlier is None:
        return "no head of that name"
    changed = [key for key in _SAME if getattr(earlier, key) != getattr(task, key)]
    return f"another {' and '.join(changed).replace('_name', '')}" if changed else None


@torch.no_grad()
def _copy_heads(network: MultitaskNetwork, file: Path, names: list[str]) -> None:
    stored = read_tensors(file)
    parameters = {
        f"{name}.{key}": parameter
        for name in names
        for key, parameter in network.heads[name].named_parameters()
    }
    found = {key: stored[key] for key in parameters if key in stored}
    if problems := mismatches(found, parameters) or unusable(found):
        raise UserError(problem_list(f"{file}: does not fit the encoder", problems))
    for key, values in float32_copies(found).items():
        parameters[key].copy_(values)
