"""Hugging Face BERT folders ↔ our modules, strict both ways.

Key names are one table of rules, read from left to right to save and from right to left to load.
Only safetensors is read; `mtbert.model.convert_pickle` turns an old pickle into it.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtbert.config.encoder import EncoderSettings
from mtbert.config.fields import TASK_NAME
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError, problem_list, shown
from mtbert.io import atomic
from mtbert.io.bounded import is_file, open_regular, read_json, why_invalid
from mtbert.io.manifest import check_sums
from mtbert.model.encoders.bert import Encoder
from mtbert.model.encoders.config import read_config
from mtbert.model.hub import locate
from mtbert.model.network import MultitaskNetwork

__all__ = [
    "load_encoder",
    "load_network",
    "read_tensors",
    "save_encoder",
    "save_network",
]

FORMAT = 1
_LARGEST_HEADER = 4 << 20  # bytes; BERT-large needs 40,000

_log = logging.getLogger(__name__)

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("embeddings.token", ("embeddings.word_embeddings",)),
    ("embeddings.position", ("embeddings.position_embeddings",)),
    ("embeddings.segment", ("embeddings.token_type_embeddings",)),
    ("embeddings.norm", ("embeddings.LayerNorm",)),
    (
        "layers.{}.attention.qkv",
        tuple(f"encoder.layer.{{}}.attention.self.{part}" for part in ("query", "key", "value")),
    ),
    ("layers.{}.attention.output", ("encoder.layer.{}.attention.output.dense",)),
    ("layers.{}.attention.norm", ("encoder.layer.{}.attention.output.LayerNorm",)),
    ("layers.{}.feed_forward.inner", ("encoder.layer.{}.intermediate.dense",)),
    ("layers.{}.feed_forward.outer", ("encoder.layer.{}.output.dense",)),
    ("layers.{}.feed_forward.norm", ("encoder.layer.{}.output.LayerNorm",)),
    ("pooler", ("pooler.dense",)),
)
"""Module names: ours, and theirs; several of theirs are one of ours, joined along rows."""

_READABLE = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

_DROPPED = re.compile(r"(embeddings\.position_ids|cls\..*|heads\..*)")


def load_encoder(source: str, revision: str | None = None) -> Encoder:
    """An encoder with pretrained weights in float32, without dropout until one is given.

    Raises:
        UserError: not found, damaged, another architecture, or weights that do not fit.
    """
    folder = locate(source, revision)
    check_sums(folder)
    return _read_encoder(folder)


def _read_encoder(folder: Path) -> Encoder:
    config = read_config(folder / "config.json")
    file = folder / "model.safetensors"
    if not is_file(file):
        legacy = folder / "pytorch_model.bin"
        advice = f"; turn the old file into it with: mtbert convert {legacy}"
        raise UserError(f"{folder}: no model.safetensors{advice if is_file(legacy) else ''}")
    with torch.device("meta"):
        encoder = Encoder(config)
    _fill(encoder, read_tensors(file), str(file))
    return encoder.eval()


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` as transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dataclasses.asdict(encoder.config)
    config = {"architectures": ["BertModel"], "model_type": "bert", "dtype": "float32", **config}
    atomic.write_json(folder / "config.json", config)
    save_file(_to_theirs(encoder), folder / "model.safetensors", {"format": "pt"})


def save_network(network: MultitaskNetwork, max_length: int, folder: Path) -> None:
    """Write the encoder as above and the heads beside it."""
    save_encoder(network.encoder, folder)
    heads = {n: p.detach().cpu().contiguous() for n, p in network.heads.named_parameters()}
    save_file(heads, folder / "heads.safetensors")
    tasks = {
        name: _without_paths(task).model_dump(mode="json", exclude_none=True)
        for name, task in network.tasks.items()
        if task.uses is None
    }
    atomic.write_json(
        folder / "mtbert.json", {"format": FORMAT, "max_length": max_length, "tasks": tasks}
    )


def load_network(folder: Path) -> tuple[MultitaskNetwork, int]:
    """The encoder with its heads, and the maximal length they were trained with.

    Raises:
        UserError: a file is missing or damaged, or the format is a newer one.
    """
    check_sums(folder)
    try:
        meta = read_json(folder / "mtbert.json")
        found = meta["format"]
        if found != FORMAT:
            raise UserError(
                f"{folder}: format {shown(found)}, this mtbert reads {FORMAT}; use the version "
                "that wrote it"
            )
        tasks = {name: TaskSettings.model_validate(t) for name, t in meta["tasks"].items()}
        if not tasks or not all(re.fullmatch(TASK_NAME, name) for name in tasks):
            raise ValueError(f"task names {shown(list(tasks))}")
        if any(task.uses is not None for task in tasks.values()):
            raise ValueError("a task without a head of its own")
        max_length = EncoderSettings(max_length=meta["max_length"]).max_length
    except FileNotFoundError:
        raise UserError(f"{folder}: no mtbert.json; is this a run's model folder?") from None
    except ValidationError as error:
        raise UserError(f"{folder}/mtbert.json: damaged: {why_invalid(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder}/mtbert.json: damaged: {error}") from None
    encoder = _read_encoder(folder)
    with torch.device("meta"):
        network = MultitaskNetwork(encoder, tasks)
    heads = read_tensors(folder / "heads.safetensors")
    problems = _mismatches(dict(network.heads.named_parameters()), heads)
    if problems:
        raise UserError(problem_list(f"{folder}/heads.safetensors", problems))
    network.heads.load_state_dict(_own(heads), assign=True)
    return network.eval(), max_length


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        UserError: missing or damaged.
    """
    try:
        with open_regular(file) as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _LARGEST_HEADER:
            raise ValueError(f"a header of {header} bytes, expected at most {_LARGEST_HEADER}")
        return load_file(file)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except UserError:
        raise
    except Exception as error:  # torch raises many kinds for shapes that cannot be
        raise UserError(f"{file}: not a valid safetensors file: {error}") from None


def _fill(encoder: Encoder, tensors: dict[str, Tensor], source: str) -> None:
    """Give a meta encoder its weights."""
    theirs: dict[str, Tensor] = {}
    problems, dropped = [], []
    for key, tensor in tensors.items():
        name = _modern(key)
        if _DROPPED.fullmatch(name):
            dropped.append(key)
        elif name in theirs:
            problems.append(f"{key}: stands twice, under an old and a new name")
        else:
            theirs[name] = tensor
    if dropped:
        _log.info("%s: not used: %s", source, ", ".join(sorted(dropped)))
    expected: dict[str, Tensor] = dict(encoder.named_parameters())
    fresh_pooler = not any(name.startswith("pooler.") for name in theirs)
    ours, missing, wrong = _to_ours(theirs, expected)
    if fresh_pooler:
        missing = [name for name in missing if not name.startswith("pooler.")]
    problems += [f"{name}: missing" for name in missing]
    problems += [f"{name}: unexpected" for name in sorted(theirs)]
    problems += wrong
    if problems:
        raise UserError(problem_list(f"{source}: weights do not fit config.json", problems))
    if fresh_pooler:
        _log.warning("%s: no pooler among the weights; initialised with a fixed seed", source)
        generator = torch.Generator().manual_seed(0)
        width, std = encoder.config.hidden_size, encoder.config.initializer_range
        ours["pooler.weight"] = torch.empty(width, width).normal_(0, std, generator=generator)
        ours["pooler.bias"] = torch.zeros(width)
    encoder.load_state_dict(_own(ours), assign=True)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in float32, in memory that is aligned and not the file's.

    Some kernels round otherwise for memory that is aligned otherwise, so the same weights from
    another place in a file would give other last digits.
    """
    return {name: tensor.to(torch.float32, copy=True) for name, tensor in tensors.items()}


def _modern(key: str) -> str:
    name = key.removeprefix("bert.")
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)


def _pairs(layers: int) -> list[tuple[str, tuple[str, ...]]]:
    """The rules, written out for a number of layers."""
    pairs = []
    for ours, theirs in _RULES:
        for i in range(layers) if "{}" in ours else (None,):
            pairs.append((ours.format(i), tuple(t.format(i) for t in theirs)))
    return pairs


def _to_ours(
    theirs: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """Rename and join; what is used is taken out of `theirs`.

    Returns:
        Our tensors, their names that are missing, and what is wrong with those that are there.
    """
    layers = 1 + max(int(n.split(".")[1]) for n in expected if n.startswith("layers."))
    ours: dict[str, Tensor] = {}
    missing: list[str] = []
    wrong: list[str] = []
    for our_module, their_modules in _pairs(layers):
        for leaf in ("weight", "bias"):
            if f"{our_module}.{leaf}" not in expected:
                continue
            names = [f"{module}.{leaf}" for module in their_modules]
            lacking = [name for name in names if name not in theirs]
            missing += lacking
            parts = {name: theirs.pop(name) for name in names if name not in lacking}
            whole = expected[f"{our_module}.{leaf}"]
            shapes = dict.fromkeys(names, whole[: len(whole) // len(names)])
            unfit = _misfits(shapes, parts)
            wrong += unfit
            if not lacking and not unfit:
                ours[f"{our_module}.{leaf}"] = torch.cat(list(parts.values()))
    return ours, missing, wrong


def _to_theirs(encoder: Encoder) -> dict[str, Tensor]:
    parameters = {n: p.detach().cpu() for n, p in encoder.named_parameters()}
    theirs = {}
    for our_module, their_modules in _pairs(len(encoder.layers)):
        for leaf in ("weight", "bias"):
            if (tensor := parameters.get(f"{our_module}.{leaf}")) is not None:
                parts = tensor.chunk(len(their_modules))
                for module, part in zip(their_modules, parts, strict=True):
                    theirs[f"{module}.{leaf}"] = part.contiguous().clone()
    return theirs


def _mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Names that lack or are too many, and tensors that do not fit."""
    problems = [f"{name}: missing" for name in expected if name not in found]
    problems += [f"{name}: unexpected" for name in found if name not in expected]
    return problems + _misfits(expected, found)


def _misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Tensors of a wrong shape, or that hold no floating-point numbers."""
    problems = []
    for name, tensor in found.items():
        if name in expected and tensor.shape != expected[name].shape:
            problems.append(
                f"{name}: shape {list(tensor.shape)}, expected {list(expected[name].shape)}"
            )
        elif tensor.dtype not in _READABLE:
            problems.append(f"{name}: {tensor.dtype}, expected floating point")
        elif not torch.isfinite(tensor.to(torch.float32)).all():
            problems.append(f"{name}: holds NaN or infinity")
    return problems


def _without_paths(task: TaskSettings) -> TaskSettings:
    """A model folder names no path of the machine that it was made on."""
    train = re.split(r"[\\/]", task.train or "")[-1]
    return task.model_copy(update={"train": train, "dev": None, "test": None})
