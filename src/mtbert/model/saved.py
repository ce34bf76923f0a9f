"""Model folders, saved and loaded: a Hugging Face encoder with the task heads beside it.

config.json, model.safetensors    the shared encoder, as transformers reads it
heads.safetensors                 the heads: TASK.linear.weight, TASK.linear.bias
own.safetensors                   the tasks' own parts of the trunk, where the sharing has any
mtbert.json                       format, maximal length, the settings of the tasks, the sharing
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import Parameter

from mtbert.config.encoder import DEFAULT_SHARING, EncoderSettings
from mtbert.config.fields import TASK_NAME
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError, problem_list, shown
from mtbert.io import atomic
from mtbert.io.bounded import read_json, why_invalid
from mtbert.io.manifest import check_manifest
from mtbert.model.encoders.base import read_encoder, save_encoder
from mtbert.model.network import MultitaskNetwork
from mtbert.model.tensors import float32_copies, mismatches, read_tensors, unusable

__all__ = ["load_network", "save_network"]

MODEL_FORMAT = 1
_META, _HEADS, _OWN = "mtbert.json", "heads.safetensors", "own.safetensors"


def save_network(network: MultitaskNetwork, max_length: int, folder: Path) -> None:
    """Write the encoder and the heads; the manifest is the caller's, when all files are there."""
    save_encoder(network.encoder, folder)
    heads = {n: p.detach().cpu().contiguous() for n, p in network.heads.named_parameters()}
    save_file(heads, folder / _HEADS)
    if own := network.partition.all_own:
        save_file({n: p.detach().cpu().contiguous() for n, p in own.items()}, folder / _OWN)
    tasks = {
        name: _without_paths(task).model_dump(mode="json", exclude_none=True)
        for name, task in network.tasks.items()
        if task.uses is None
    }
    meta: dict[str, Any] = {"format": MODEL_FORMAT, "max_length": max_length, "tasks": tasks}
    if network.sharing != DEFAULT_SHARING:  # a folder of today is read by earlier versions
        meta["sharing"] = network.sharing.model_dump(mode="json")
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
    problems = mismatches(heads, dict(network.heads.named_parameters())) or unusable(heads)
    if problems:
        raise UserError(problem_list(f"{folder}/{_HEADS}", problems))
    network.heads.load_state_dict(float32_copies(heads), assign=True)
    if own := network.partition.all_own:
        tensors = read_tensors(folder / _OWN)
        if problems := mismatches(tensors, own) or unusable(tensors):
            raise UserError(problem_list(f"{folder}/{_OWN}", problems))
        _assign(network.trunk, own, float32_copies(tensors))
    return network.eval(), settings.max_length


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
        if found != MODEL_FORMAT:
            raise UserError(
                f"{folder}: format {shown(found)}, this mtbert reads {MODEL_FORMAT}; use the "
                "version that wrote it"
            )
        tasks = {name: TaskSettings.model_validate(t) for name, t in meta["tasks"].items()}
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
    train = re.split(r"[\\/]", task.train or "")[-1]
    return task.model_copy(update={"train": train, "dev": None, "test": None})
