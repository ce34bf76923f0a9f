"""The heads of a run's model that serves another run as its encoder: kept, or said to be new."""

from __future__ import annotations

import logging
from pathlib import Path

from mtbert.config.heads import differing_settings
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError
from mtbert.io.bounded import is_file, read_json
from mtbert.model.network import MultitaskNetwork
from mtbert.model.saved import load_network

__all__ = ["start_heads"]

_META, _HEADS = "mtbert.json", "heads.safetensors"
_log = logging.getLogger(__name__)


def start_heads(network: MultitaskNetwork, folder: Path, *, keep: bool) -> None:
    """Let freshly initialised heads start from those of the encoder's folder, or say they do not.

    A head is kept, with the scale of its target, where a task of its name has the settings that it
    was trained with.

    Args:
        network: with an encoder read from `folder`; its heads have their scales.
        folder: of an encoder, perhaps a run's model.
        keep: whether `encoder.heads` asks for it.

    Raises:
        UserError: there are no heads to keep, none that fits, or a file is damaged.
    """
    has_heads = is_file(folder / _META) and is_file(folder / _HEADS)
    if not keep:
        if has_heads:
            names = ", ".join(read_json(folder / _META).get("tasks") or {})
            _log.info(
                "%s: its heads (%s) are not used, the heads of this run are new; "
                "encoder.heads=keep starts from those of tasks of the same name and settings",
                folder, names,
            )  # fmt: skip
        return
    if not has_heads:
        raise UserError(f"encoder.heads: found keep, but {folder} is no run's and has no heads")
    earlier, _ = load_network(folder)
    kept, others = [], []
    for name, head in network.heads.items():
        reason = _why_not(earlier.tasks.get(name), network.tasks[name])
        if reason is not None:
            others.append(f"{name} ({reason})")
            continue
        head.load_state_dict(earlier.heads[name].state_dict())
        head.scale = earlier.heads[name].scale
        kept.append(name)
    if not kept:
        raise UserError(
            f"encoder.heads: found keep, but no head of {folder} fits: {', '.join(others)}"
        )
    new = f"; new heads: {', '.join(others)}" if others else ""
    _log.info("%s: starts from its heads of %s%s", folder, ", ".join(kept), new)


def _why_not(earlier: TaskSettings | None, task: TaskSettings) -> str | None:
    if earlier is None:
        return "no head of that name"
    changed = differing_settings(earlier, task)
    return f"another {' and '.join(changed)}" if changed else None
