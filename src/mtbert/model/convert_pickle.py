"""Conversion of old pickled weights (`pytorch_model.bin`, `.pt`, `.pth`, `.ckpt`) to safetensors.

Read are files of tensors by name, and checkpoints of training that hold such a mapping beside the
optimizer's state and plain settings; several shards become one file. Names of the course's own BERT
(Stanford CS224N, `minbert`) become those of a Hugging Face BERT.
"""

from __future__ import annotations

import argparse
import logging
import re
import types
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mtbert.errors import UserError, problem_list, shown
from mtbert.io import atomic
from mtbert.io.bounded import is_file, open_regular, read_json

__all__ = ["convert_legacy"]

_HARMLESS = (argparse.Namespace, types.SimpleNamespace)
"""Classes of plain settings in checkpoints: making one sets attributes and does nothing else."""

_PLACES = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
"""Where checkpoints of training keep the model's tensors."""

_SHARD = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})\.bin")
_INDEX = ".bin.index.json"

_COURSE = (
    ("word_embedding", "embeddings.word_embeddings"),
    ("pos_embedding", "embeddings.position_embeddings"),
    ("tk_type_embedding", "embeddings.token_type_embeddings"),
    ("embed_layer_norm", "embeddings.LayerNorm"),
    ("position_ids", "embeddings.position_ids"),
    ("bert_layers", "encoder.layer"),
    ("self_attention", "attention.self"),
    ("attention_dense", "attention.output.dense"),
    ("attention_layer_norm", "attention.output.LayerNorm"),
    ("interm_dense", "intermediate.dense"),
    ("out_dense", "output.dense"),
    ("out_layer_norm", "output.LayerNorm"),
    ("pooler_dense", "pooler.dense"),
)
"""Modules of the course's BERT, and of Hugging Face's; whole parts of a dotted name."""

_log = logging.getLogger(__name__)


def convert_legacy(file: Path, output: Path) -> int:
    """Write the tensors of an old file as safetensors; returns their number.

    A pickle is read by torch's restricted unpickler, which builds tensors, plain values and bare
    settings, and nothing else. One shard, or the index of shards, stands for all of them.

    Raises:
        UserError: it holds anything else, or cannot be read; or `output` is there already.
    """
    if output.exists():
        raise UserError(
            f"{output}: is there already, and is not overwritten; name another file to write"
        )
    if file.suffix == ".safetensors":
        raise UserError(f"{file}: is safetensors already and needs no conversion")
    tensors: dict[str, Tensor] = {}
    for part in _all_parts(file):
        try:
            size = _refuse_compressed(part)
            with torch.serialization.safe_globals(list(_HARMLESS)):
                content = torch.load(part, map_location="cpu", weights_only=True)
        except UserError:
            raise
        except FileNotFoundError:
            raise UserError(f"{part}: no such file") from None
        except Exception as error:  # the unpickler raises many kinds, all "not safe or broken"
            raise UserError(f"{part}: refused: {_why_refused(error)}") from None
        found = _tensors_in(content, part)
        _check_dense(part, size, list(found.values()))
        if twice := sorted(found.keys() & tensors.keys()):
            raise UserError(problem_list(f"{part}: also in another shard", twice))
        tensors |= {str(name): tensor.clone().contiguous() for name, tensor in found.items()}
    tensors = _with_usual_names(tensors)
    with atomic.new_folder(output.with_name(output.name + ".parts")) as folder:
        save_file(tensors, folder / "tensors", {"format": "pt"})
        (folder / "tensors").replace(output)
    output.with_name(output.name + ".parts").rmdir()
    return len(tensors)


def _all_parts(file: Path) -> list[Path]:
    """The file, or all shards of the model that it is a shard or the index of."""
    if file.name.endswith(_INDEX):
        found = read_json(file).get("weight_map")
        places = set(found.values()) if isinstance(found, dict) else set()
        if not places or not all(isinstance(p, str) and Path(p).name == p for p in places):
            raise UserError(f"{file}: damaged: no weight_map of files beside it")
        parts = [file.with_name(place) for place in sorted(places)]
    elif shard := _SHARD.fullmatch(file.name):
        name, count = shard["name"], int(shard["count"])
        parts = [file.with_name(f"{name}-{i:05}-of-{count:05}.bin") for i in range(1, count + 1)]
    else:
        return [file]
    missing = [part.name for part in parts if not is_file(part)]
    if missing:
        raise UserError(
            f"{file}: one part of a model in {len(parts)}; missing beside it: {', '.join(missing)}"
        )
    return parts


def _why_refused(error: Exception) -> str:
    """The unpickler's reason in short, and what to do."""
    text = str(error)
    found = re.search(r"GLOBAL ([\w.]+)", text)
    if found:
        return (
            f"it holds {found[1]}, more than tensors and plain values, and unpickling that could "
            "run code; where the model was made, save its tensors alone: "
            "torch.save(model.state_dict(), FILE)"
        )
    reason = re.sub(r"\x1b\[[\d;]*m", "", text.strip() or type(error).__name__).splitlines()[0]
    return f"not a file of tensors: {reason}"


def _tensors_in(content: Any, file: Path) -> dict[str, Tensor]:
    """The tensors by name in what a file holds.

    Raises:
        UserError: there are none, or not in a known place.
    """
    if _is_state(content):
        return dict(content)
    if isinstance(content, Mapping):
        for place in _PLACES:
            if _is_state(content.get(place)):
                others = ", ".join(sorted(str(key) for key in content if key != place))
                _log.info("%s: the tensors of %r; left out: %s", file, place, others)
                return dict(content[place])
        raise UserError(
            f"{file}: expected tensors by name, alone or under one of {', '.join(_PLACES)}; found "
            + ", ".join(shown(key) for key in list(content)[:10])
        )
    raise UserError(f"{file}: expected tensors by name, found {type(content).__name__}")


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(tensor, Tensor) for tensor in content.values())
    )


def _with_usual_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The course's names as Hugging Face's; those of others as they are."""
    if not any(".self_attention." in f".{name}" or "tk_type_embedding" in name for name in tensors):
        return tensors
    _log.info("names of the course's BERT, written as those of a Hugging Face BERT")
    usual = dict(_COURSE)
    return {
        ".".join(usual.get(part, part) for part in name.split(".")): tensor
        for name, tensor in tensors.items()
    }


def _refuse_compressed(file: Path) -> int:
    """The size of a file; torch writes parts uncompressed, so they are no larger than the whole."""
    with open_regular(file) as stream:
        size = stream.seek(0, 2)
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                if sum(part.file_size for part in archive.infolist()) > size:
                    raise UserError(f"{file}: refused, its parts are larger than the file")
    return size


def _check_dense(file: Path, size: int, tensors: Sequence[Tensor]) -> None:
    """Refuse tensors that would fill memory when they are written out.

    One with a stride of zero shows a few stored numbers as if they were billions; tied weights
    are met twice, which four times the file's size leaves room for.
    """
    if any(tensor.layout != torch.strided or tensor.is_quantized for tensor in tensors):
        raise UserError(f"{file}: refused, expected dense tensors")
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > 4 * size:
        raise UserError(f"{file}: refused, its tensors are far larger than the file")
