"""Encoder configurations, read from a Hugging Face `config.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mtbert.errors import UserError, problem_list, shown
from mtbert.io.bounded import is_file, read_json
from mtbert.model.encoders.table import FAMILIES

__all__ = ["ACTIVATIONS", "EncoderConfig", "read_config"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_python": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_fast": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_accurate": lambda x: functional.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
    "mish": functional.mish,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Family, sizes and constants, named as in a Hugging Face `config.json`; default: BERT-base."""

    model_type: str = "bert"
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0


_DECODERS = ("is_decoder", "add_cross_attention")
_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
          "intermediate_size", "max_position_embeddings")  # fmt: skip
_WHY_NOT = {
    "roberta": "its positions begin after the padding token, its tokens are no WordPiece",
    "xlm-roberta": "its positions begin after the padding token, its tokens are no WordPiece",
    "camembert": "its positions begin after the padding token, its tokens are no WordPiece",
    "distilbert": "it has no segments and no pooler",
    "electra": "its embeddings may be of another width, and it has no pooler",
    "albert": "its layers share their weights, its tokens are no WordPiece",
    "deberta": "its positions are relative",
    "deberta-v2": "its positions are relative, its tokens are no WordPiece",
    "mpnet": "its positions are relative",
    "modernbert": "its positions are rotary",
    "nomic_bert": "its positions are rotary",
    "xlnet": "its positions are relative",
    "longformer": "its attention is local",
    "big_bird": "its attention is sparse",
}
"""What sets well-known architectures apart from BERT."""

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


def read_config(file: Path) -> EncoderConfig:
    """The sizes of a Hugging Face BERT.

    Raises:
        UserError: unreadable, another architecture, or an option that is not BERT's.
    """
    try:
        raw = read_json(file)
    except FileNotFoundError:
        old = file.with_name("bert_config.json")
        advice = f"; rename {old.name} to it" if is_file(old) else ""
        raise UserError(
            f"{file}: no such file; expected a Hugging Face BERT folder{advice}"
        ) from None
    raw = _with_model_type(raw)
    found = raw.get("model_type")
    if not isinstance(found, str) or found not in FAMILIES:
        raise UserError(f"{file}: {_other_architecture(raw)}")
    problems = []
    if raw.get("position_embedding_type") not in (None, "absolute"):
        problems.append(
            f"position_embedding_type {shown(raw['position_embedding_type'])}, expected absolute"
        )
    problems += [f"{key} true: a decoder" for key in _DECODERS if raw.get(key)]
    if raw.get("pad_token_id", 0) is None:
        del raw["pad_token_id"]
    values: dict[str, Any] = {}
    for item in dataclasses.fields(EncoderConfig):
        value = raw.get(item.name, item.default)
        if not _has_type_of(value, item.default):
            problems.append(f"{item.name} {shown(value)}")
        else:
            values[item.name] = value
    if not problems:
        problems = _impossible(EncoderConfig(**values))
    if problems:
        raise UserError(problem_list(f"{file}: not a supported BERT", problems))
    return EncoderConfig(**values)


def _with_model_type(raw: dict[str, Any]) -> dict[str, Any]:
    """BERT's authors, and early versions of transformers, wrote sizes alone into the file."""
    classes = raw.get("architectures") or []
    named = isinstance(classes, list) and all(str(name).startswith("Bert") for name in classes)
    if "model_type" not in raw and named and all(size in raw for size in _SIZES):
        return {**raw, "model_type": "bert"}
    return dict(raw)


def _other_architecture(raw: Mapping[str, Any]) -> str:
    found = raw.get("model_type")
    expected = " or ".join(map(repr, FAMILIES))
    if "model_type" not in raw:
        classes = raw.get("architectures")
        said = f"architectures {shown(classes)}" if classes else "not all of a BERT's sizes"
        return (
            f"no model_type and {said}, expected {expected}; if the model is a BERT, add "
            '"model_type": "bert"'
        )
    why = _WHY_NOT.get(found) if isinstance(found, str) else None
    return f"architecture {shown(found)} is not supported, expected {expected}" + (
        f": {why}; take a BERT of about its size" if why else ""
    )


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
            problems.append(f"{name} {shown(getattr(config, name))}, expected 1 to {limit}")
    if not 0 < config.layer_norm_eps < 1:
        problems.append(
            f"layer_norm_eps {shown(config.layer_norm_eps)}, expected above 0 and below 1"
        )
    if not 0 <= config.pad_token_id < config.vocab_size:
        problems.append(
            f"pad_token_id {shown(config.pad_token_id)}, expected a token of the vocabulary"
        )
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range"):
        if not 0 <= getattr(config, name) < 1:
            problems.append(f"{name} {shown(getattr(config, name))}, expected 0 or more, below 1")
    if config.hidden_act not in ACTIVATIONS:
        problems.append(
            f"hidden_act {shown(config.hidden_act)}, expected one of {list(ACTIVATIONS)}"
        )
    if not problems and config.hidden_size % config.num_attention_heads:
        problems.append(
            f"hidden_size {config.hidden_size} does not divide by "
            f"{config.num_attention_heads} heads"
        )
    return problems
