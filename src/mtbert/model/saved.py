"""Model folders, saved and loaded: a Hugging Face encoder with the task heads beside it.

config.json, model.safetensors    the shared encoder, as transformers reads it
heads.safetensors                 the heads: TASK.linear.weight, TASK.linear.bias; where a head has
                                  them TASK.hidden, TASK.mix, TASK.attention; and of a target with
                                  a scale TASK.target_mean, TASK.target_deviation
own.safetensors                   the tasks' own parts of the trunk, where the sharing has any
mtbert.json                       format, maximal length, the settings of the tasks; the sharing and
                                  the precision where they are not the defaults
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import Parameter

from mtbert.config.encoder import EncoderSettings
from mtbert.config.fields import TASK_NAME
from mtbert.config.files import names_of
from mtbert.config.hub_names import is_hub
from mtbert.config.older import with_old_target
from mtbert.config.sharing import DEFAULT_SHARING
from mtbert.config.tasks import TaskSettings
from mtbert.config.training import Precision
from mtbert.errors import UserError, problem_list, shown
from mtbert.io import atomic
from mtbert.io.bounded import read_json, why_invalid
from mtbert.io.manifest import check_manifest
from mtbert.model.encoders.base import read_encoder, save_encoder
from mtbert.model.heads import Head
from mtbert.model.network import MultitaskNetwork
from mtbert.model.tensors import float32_copies, mismatches, read_tensors, unusable
from mtbert.objectives.target_scale import TargetScale

__all__ = ["load_network", "save_network", "saved_precision"]

MODEL_FORMATS = (1, 2, 3)
"""What earlier versions cannot answer with: in 2 a head has the scale of its target, in 3 a hidden
layer, attention, a mix of layers, or a scale that moved while it learned."""

_META, _HEADS, _OWN = "mtbert.json", "heads.safetensors", "own.safetensors"
_SCALE = ("target_mean", "target_deviation")


def save_network(
    network: MultitaskNetwork, max_length: int, folder: Path, precision: Precision = "auto"
) -> None:
    """Write the encoder and the heads; the manifest is the caller's, when all files are there."""
    save_encoder(network.encoder, folder)
    heads = {n: p.detach().cpu().contiguous() for n, p in network.heads.named_parameters()}
    save_file(heads | _scales(network), folder / _HEADS)
    if own := network.partition.all_own:
        save_file({n: p.detach().cpu().contiguous() for n, p in own.items()}, folder / _OWN)
    tasks = {name: _fields(task) for name, task in network.tasks.items() if task.uses is None}
    form = max(map(_format, network.tasks.values()))
    meta: dict[str, Any] = {"format": form, "max_length": max_length, "tasks": tasks}
    if network.sharing != DEFAULT_SHARING:  # a folder of today is read by earlier versions
        meta["sharing"] = network.sharing.model_dump(mode="json")
    if precision != "auto":
        meta["precision"] = precision
    atomic.write_json(folder / _META, meta)


def load_network(folder: Path) -> tuple[MultitaskNetwork, int]:
    """The encoder with its heads, and the maximal length they were trained with.

    Raises:
        UserError: a file is missing or damaged, or the format is a newer one.
    """
    check_manifest(folder)
    tasks, settings = _read_meta(folder)
    encoder = read_encoder(folder)
    with torch.device("meta"):
        network = MultitaskNetwork(encoder, tasks, settings.sharing)
    heads = read_tensors(folder / _HEADS)
    expected = dict(network.heads.named_parameters()) | _scales(network)
    problems = mismatches(heads, expected) or unusable(heads) or _impossible_scales(heads, network)
    if problems:
        raise UserError(problem_list(f"{folder}/{_HEADS}", problems))
    for name, head in _scaled(network).items():
        mean, deviation = (float(heads.pop(f"{name}.{part}")) for part in _SCALE)
        head.scale = TargetScale(mean, deviation)
    network.heads.load_state_dict(float32_copies(heads), assign=True)
    if own := network.partition.all_own:
        tensors = read_tensors(folder / _OWN)
        if problems := mismatches(tensors, own) or unusable(tensors):
            raise UserError(problem_list(f"{folder}/{_OWN}", problems))
        _assign(network.trunk, own, float32_copies(tensors))
    return network.eval(), settings.max_length


def saved_precision(folder: Path) -> Precision:
    """The precision that the run of a model folder asked for, in which the model answers as it did.

    Raises:
        UserError: `mtbert.json` is damaged.
    """
    found = read_json(folder / _META).get("precision", "auto")
    if found not in get_args(Precision):
        raise UserError(f"{folder}/{_META}: damaged: precision {shown(found)}")
    return found


def _scaled(network: MultitaskNetwork) -> dict[str, Head]:
    """The heads whose target has a scale, by task."""
    return {n: h for n, h in network.heads.items() if network.tasks[n].has_target_scale}


def _scales(network: MultitaskNetwork) -> dict[str, Tensor]:
    """The scales of targets as tensors of a file: float64 scalars."""
    return {
        f"{name}.{part}": torch.tensor(value, dtype=torch.float64, device="cpu")
        for name, head in _scaled(network).items()
        for part, value in zip(_SCALE, (head.scale.mean, head.scale.deviation), strict=True)
    }


def _impossible_scales(heads: Mapping[str, Tensor], network: MultitaskNetwork) -> list[str]:
    """What is wrong with the deviations in a file."""
    names = [f"{name}.{_SCALE[1]}" for name in _scaled(network)]
    return [f"{n}: {v:g}, expected above 0" for n in names if not (v := float(heads[n])) > 0]


def _format(task: TaskSettings) -> int:
    """The format that a task's head needs."""
    rich = task.layers is not None or task.hidden_size is not None or task.head == "attention"
    if rich or task.target == "popart":
        return 3
    return 2 if task.target == "standardised" else 1


def _fields(task: TaskSettings) -> dict[str, Any]:
    """A task's settings without paths; a raw target is not named, so earlier versions read it."""
    fields = _without_paths(task).model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in fields.items() if (key, value) != ("target", "raw")}


def _assign(
    module: nn.Module, parameters: Mapping[str, Parameter], tensors: Mapping[str, Tensor]
) -> None:
    """Put tensors in the places of a module's parameters, which may have no memory yet."""
    by_identity = {id(p): Parameter(tensors[name]) for name, p in parameters.items()}
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if id(parameter) in by_identity:
                setattr(part, name, by_identity[id(parameter)])


def _read_meta(folder: Path) -> tuple[dict[str, TaskSettings], EncoderSettings]:
    """The settings of the tasks, and of the encoder its maximal length and sharing."""
    try:
        meta = read_json(folder / _META)
        found = meta["format"]
        if found not in MODEL_FORMATS:
            raise UserError(
                f"{folder}: format {shown(found)}, this mtbert reads "
                f"{' and '.join(map(str, MODEL_FORMATS))}; use the version that wrote it"
            )
        tasks = {
            name: TaskSettings.model_validate(with_old_target(t))
            for name, t in meta["tasks"].items()
        }
        if not tasks or not all(re.fullmatch(TASK_NAME, name) for name in tasks):
            raise ValueError(f"task names {shown(list(tasks))}")
        if any(task.uses is not None for task in tasks.values()):
            raise ValueError("a task without a head of its own")
        sharing = meta.get("sharing", DEFAULT_SHARING)
        return tasks, EncoderSettings(max_length=meta["max_length"], sharing=sharing)
    except FileNotFoundError:
        raise UserError(f"{folder}: no {_META}; is this a run's model folder?") from None
    except ValidationError as error:
        raise UserError(f"{folder}/{_META}: damaged: {why_invalid(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder}/{_META}: damaged: {error}") from None


def _without_paths(task: TaskSettings) -> TaskSettings:
    """A model folder names no path of the machine that it was made on."""
    names = [
        name if is_hub(name) else re.split(r"[\\/]", name)[-1]
        for name in names_of(task.train or "")
    ]
    train = names[0] if len(names) == 1 else tuple(names)
    return task.model_copy(update={"train": train, "dev": None, "test": None})
