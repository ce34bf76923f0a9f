"""Model folders, saved and loaded: a Hugging Face encoder with the task heads beside it.

config.json, model.safetensors    the shared encoder, as transformers reads it
heads.safetensors                 the heads: TASK.linear.weight, TASK.linear.bias
mtbert.json                       format, maximal length, and the settings of the tasks
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from mtbert.config.encoder import EncoderSettings
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
_META, _HEADS = "mtbert.json", "heads.safetensors"


def save_network(network: MultitaskNetwork, max_length: int, folder: Path) -> None:
    """Write the encoder and the heads; the manifest is the caller's, when all files are there."""
    save_encoder(network.encoder, folder)
    heads = {n: p.detach().cpu().contiguous() for n, p in network.heads.named_parameters()}
    save_file(heads, folder / _HEADS)
    tasks = {
        name: _without_paths(task).model_dump(mode="json", exclude_none=True)
        for name, task in network.tasks.items()
        if task.uses is None
    }
    meta = {"format": MODEL_FORMAT, "max_length": max_length, "tasks": tasks}
    atomic.write_json(folder / _META, meta)


def load_network(folder: Path) -> tuple[MultitaskNetwork, int]:
    """The encoder with its heads, and the maximal length they were trained with.

    Raises:
        UserError: a file is missing or damaged, or the format is a newer one.
    """
    check_manifest(folder)
    tasks, max_length = _read_meta(folder)
    encoder = read_encoder(folder)
    with torch.device("meta"):
        network = MultitaskNetwork(encoder, tasks)
    heads = read_tensors(folder / _HEADS)
    problems = mismatches(heads, dict(network.heads.named_parameters())) or unusable(heads)
    if problems:
        raise UserError(problem_list(f"{folder}/{_HEADS}", problems))
    network.heads.load_state_dict(float32_copies(heads), assign=True)
    return network.eval(), max_length


def _read_meta(folder: Path) -> tuple[dict[str, TaskSettings], int]:
    """The settings of the tasks, and the maximal length."""
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
        return tasks, EncoderSettings(max_length=meta["max_length"]).max_length
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
