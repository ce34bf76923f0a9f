"""The complete training state: by name, in safetensors and JSON, as a whole or not at all.

    checkpoints/step-00000123/state.json            counters, scores, version
                              weights.safetensors   every parameter that learns
                              moments.safetensors   the optimizer's: NAME.exp_avg, NAME.exp_avg_sq
                              best.safetensors      the best weights so far (if any)
                              manifest.json         size and sha256 of the others, written last

Order of the data, dropout and surgery are functions of seed and step, so no random state is kept.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Parameter

from mtbert import atomic
from mtbert.errors import UserError
from mtbert.training.optimizer import AdamW

__all__ = ["Checkpoint", "load_newest", "optimizer_moments", "restore_moments", "save"]

FORMAT = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on as if it had never stopped.

    Attributes:
        state: JSON values.
        weights: every parameter that learns, by name.
        moments: the optimizer's state, by name.
        best: the weights of the best evaluation so far, or None.
    """

    state: dict[str, Any]
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    best: dict[str, Tensor] | None


def save(folder: Path, step: int, checkpoint: Checkpoint, keep: int) -> None:
    """Write `folder/step-…`; of the others the newest whole ones stay, `keep` with this one."""
    target = folder / f"step-{step:08d}"
    if target.exists() and _problem(target) is None:
        return
    with atomic.new_folder(target) as new:
        save_file(_plain(checkpoint.weights), new / "weights.safetensors")
        save_file(_plain(checkpoint.moments), new / "moments.safetensors")
        if checkpoint.best is not None:
            save_file(_plain(checkpoint.best), new / "best.safetensors")
        atomic.write_json(new / "state.json", {"format": FORMAT, **checkpoint.state})
        files = {p.name: [p.stat().st_size, _sha256(p)] for p in sorted(new.iterdir())}
        atomic.write_json(new / "manifest.json", files)
    others = [path for path in reversed(_all(folder)) if path != target]
    whole = (path for path in others if _problem(path) is None)
    kept = set(itertools.islice(whole, keep - 1))
    for path in others:
        if path not in kept:
            shutil.rmtree(path)


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; damaged ones are named and passed over.

    Raises:
        UserError: only damaged ones are there, or the format is another one.
    """
    damaged = []
    for path in reversed(_all(folder)):
        if (problem := _problem(path)) is not None:
            damaged.append(f"{path}: {problem}")
            _log.warning("checkpoint passed over: %s", damaged[-1])
            continue
        try:
            state = json.loads((path / "state.json").read_text("utf-8"))
            if state.get("format") != FORMAT:
                raise UserError(
                    f"{path}: checkpoint format {state.get('format')}, this mtbert reads {FORMAT}; "
                    "go on with the version that wrote it"
                )
            best = path / "best.safetensors"
            return Checkpoint(
                state,
                load_file(path / "weights.safetensors"),
                load_file(path / "moments.safetensors"),
                load_file(best) if best.exists() else None,
            )
        except UserError:
            raise
        except Exception as error:  # torch raises many kinds for shapes that cannot be
            raise UserError(f"{path}: cannot be read ({error})") from None
    if damaged:
        raise UserError(
            f"no whole checkpoint: {'; '.join(damaged)}; remove {folder} to start this run again"
        )
    return None


def optimizer_moments(optimizer: AdamW) -> tuple[dict[str, Tensor], dict[str, int]]:
    """The optimizer's tensors and step counts by parameter name."""
    tensors, steps = {}, {}
    for name, parameter in _named(optimizer):
        if state := optimizer.state.get(parameter):
            tensors[f"{name}.exp_avg"] = state["exp_avg"]
            tensors[f"{name}.exp_avg_sq"] = state["exp_avg_sq"]
            steps[name] = state["step"]
    return tensors, steps


def restore_moments(
    optimizer: AdamW, tensors: Mapping[str, Tensor], steps: Mapping[str, int]
) -> None:
    """Give each parameter, by its name, the state that it had."""
    for name, parameter in _named(optimizer):
        if name in steps:
            optimizer.state[parameter] = {
                "step": steps[name],
                "exp_avg": tensors[f"{name}.exp_avg"].to(parameter.device),
                "exp_avg_sq": tensors[f"{name}.exp_avg_sq"].to(parameter.device),
            }


def _named(optimizer: AdamW) -> list[tuple[str, Parameter]]:
    return [
        pair
        for group in optimizer.param_groups
        for pair in zip(group["names"], group["params"], strict=True)
    ]


def _all(folder: Path) -> list[Path]:
    found = [p for p in folder.glob("step-*") if p.name[5:].isdecimal() and p.is_dir()]
    return sorted(found, key=lambda p: int(p.name[5:]))


def _problem(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        manifest = json.loads((path / "manifest.json").read_text("utf-8"))
        for name, (size, digest) in manifest.items():
            file = path / name
            if not file.is_file() or file.stat().st_size != size or _sha256(file) != digest:
                return f"{name} is missing or damaged"
        if not {"state.json", "weights.safetensors", "moments.safetensors"} <= set(manifest):
            return "incomplete manifest"
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"cannot be read ({error})"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
