"""Checkpoints: the complete training state, by name, written as a whole or not at all.

    checkpoints/step-00000123/state.json            counters, scores, version
                              weights.safetensors   every parameter that learns
                              moments.safetensors   the optimizer's: NAME.exp_avg, NAME.exp_avg_sq
                              best.safetensors      the best weights so far (if any)
                              average.safetensors   the average of the weights (if there is one)
                              manifest.json         size and sha256 of the others, written last

Order of the data, dropout and surgery are functions of seed and step, so no random state is kept.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtbert.errors import UserError, problem_list
from mtbert.io import atomic
from mtbert.io.manifest import damage, entries
from mtbert.model.tensors import mismatches
from mtbert.runs.folder import by_step

__all__ = [
    "Checkpoint",
    "check_fit",
    "load_newest",
    "save",
]

FORMAT = 1

_STATE, _MANIFEST = "state.json", "manifest.json"
_WEIGHTS, _MOMENTS, _BEST = "weights.safetensors", "moments.safetensors", "best.safetensors"
_AVERAGE = "average.safetensors"

_log = logging.getLogger(__name__)


class _DamagedError(Exception):
    """A checkpoint that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on as if it had never stopped.

    Attributes:
        state: JSON values.
        weights: every parameter that learns, by name.
        moments: the optimizer's state, by name.
        best: the weights of the best evaluation so far, or None.
        average: the average of the weights, or None.
    """

    state: dict[str, Any]
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    best: dict[str, Tensor] | None
    average: dict[str, Tensor] | None = None


def save(folder: Path, step: int, checkpoint: Checkpoint, keep: int) -> None:
    """Write `folder/step-…`; of the others the newest whole ones stay, `keep` with this one.

    Raises:
        UserError: it cannot be written; the others are as they were.
    """
    target = folder / f"step-{step:08d}"
    if target.exists() and _problem(target) is None:
        return
    with atomic.new_folder(target) as new:
        _write_tensors(checkpoint.weights, new / _WEIGHTS)
        _write_tensors(checkpoint.moments, new / _MOMENTS)
        if checkpoint.best is not None:
            _write_tensors(checkpoint.best, new / _BEST)
        if checkpoint.average is not None:
            _write_tensors(checkpoint.average, new / _AVERAGE)
        atomic.write_json(new / _STATE, {"format": FORMAT, **checkpoint.state})
        atomic.sync_folder(new)
        atomic.write_json(new / _MANIFEST, entries(new.iterdir()))
    others = [path for path in reversed(by_step(folder)) if path != target]
    whole = (path for path in others if _problem(path) is None)
    kept = set(itertools.islice(whole, keep - 1))
    for path in others:
        if path not in kept:
            _remove(path)


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; damaged ones are named and passed over.

    Raises:
        UserError: only damaged ones are there, or the format is another one.
    """
    damaged = []
    for path in reversed(by_step(folder)):
        try:
            return _read(path)
        except _DamagedError as error:
            damaged.append(f"{path}: {error}")
            _log.warning("checkpoint passed over: %s", damaged[-1])
    if damaged:
        raise UserError(
            f"no whole checkpoint: {'; '.join(damaged)}; remove {folder} to start this run again"
        )
    return None


def check_fit(source: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Tensors must be those expected, by name and shape; their order does not matter.

    Raises:
        UserError: names `source` and every tensor that is missing, unexpected or of another shape.
    """
    problems = mismatches(found, expected)
    if problems:
        raise UserError(problem_list(f"{source}: not of this model", problems))


def _read(path: Path) -> Checkpoint:
    """One checkpoint; nothing is read that its manifest does not vouch for."""
    files = _verify(path)
    try:
        state = json.loads((path / _STATE).read_text("utf-8"))
        found = state.pop("format", None)
        if found != FORMAT:
            raise UserError(
                f"{path}: checkpoint format {found}, this mtbert reads {FORMAT}; go on with the "
                "version that wrote it"
            )
        _require(files)
        best = load_file(path / _BEST) if _BEST in files else None
        if best is not None:  # it outlives the file that it may still be mapped to
            best = {name: tensor.clone() for name, tensor in best.items()}
        weights, moments = load_file(path / _WEIGHTS), load_file(path / _MOMENTS)
        average = load_file(path / _AVERAGE) if _AVERAGE in files else None
        return Checkpoint(state, weights, moments, best, average)
    except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise _DamagedError(f"cannot be read ({error})") from None


def _problem(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        _require(_verify(path))
    except _DamagedError as error:
        return str(error)
    return None


def _verify(path: Path) -> set[str]:
    """The files that the manifest lists, each with its size and hash."""
    try:
        manifest = json.loads((path / _MANIFEST).read_text("utf-8"))
        for name, (size, digest) in manifest.items():
            if (path / name).parent != path or damage(path / name, [size, digest]):
                raise _DamagedError(f"{name} is missing or damaged")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _DamagedError(f"cannot be read ({error})") from None
    if _STATE not in manifest:
        raise _DamagedError("incomplete manifest")
    return set(manifest)


def _require(files: set[str]) -> None:
    if not {_WEIGHTS, _MOMENTS} <= files:
        raise _DamagedError("incomplete manifest")


def _remove(path: Path) -> None:
    """A checkpoint that is no longer needed; one that cannot be removed harms nobody."""
    try:
        atomic.remove_folder(path)
    except OSError as error:
        _log.warning("%s: an old checkpoint that cannot be removed: %s", path, error.strerror)


def _write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    try:
        save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, file)
    except SafetensorError as error:  # how safetensors reports a full disk
        raise OSError(str(error)) from None
