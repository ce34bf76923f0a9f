"""Encoders and data files of the check, made where none are given.

Without the course's data, files are drawn whose sequences are as long as theirs: the lengths below
are those of the training sets in tokens of BERT's uncased vocabulary, [CLS] and [SEP] included.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mtbert
from benchmarks.common import configuration
from benchmarks.gpu.context import Context, Skipped
from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.hub import PACKAGED, locate

__all__ = [
    "LENGTHS",
    "drawn_lengths",
    "pretrained",
    "random_encoder",
    "speed_tasks",
    "timed_encoder",
]

LENGTHS = {
    "sst": (4, 9, 11, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 29, 30, 33, 35, 37, 41, 46, 80),
    "para": (11, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 33, 36, 38, 42, 47, 55, 327),
    "sts": (9, 15, 16, 17, 18, 19, 19, 20, 21, 22, 23, 24, 26, 27, 30, 33, 38, 43, 50, 60, 125),
}
"""Quantiles 0, 5, …, 100 % of tokens a sequence; pairs are one sequence."""

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_TOKENIZER = ("tokenizer.json", "vocab.txt")
_POSITIONS = 512
_KINDS: dict[str, dict[str, Any]] = {
    "sst": {"kind": "classification", "labels": list("01234")},
    "para": {"kind": "pair_classification", "pair_encoding": "jointly"},
    "sts": {"kind": "pair_regression", "range": [0, 5], "pair_encoding": "jointly"},
}
_LARGEST_LABEL = {"sst": 4, "para": 1, "sts": 5}


# Encoders


def pretrained(context: Context) -> Path:
    """The folder of pretrained weights.

    Raises:
        Skipped: there are none.
    """
    if context.encoder is not None:
        return context.encoder
    try:
        return locate(PACKAGED)
    except UserError as error:
        raise Skipped(f"no pretrained encoder: {error}") from None


def timed_encoder(context: Context) -> Path:
    """The encoder whose speed is measured: BERT-base's size, random weights."""
    scale = context.scale
    sizes = (scale.layers, scale.hidden, scale.heads, scale.inner, scale.vocabulary)
    return random_encoder(context, "timed", sizes)


def random_encoder(context: Context, name: str, sizes: tuple[int, int, int, int, int]) -> Path:
    """A folder with random weights; layers, hidden, heads, inner, vocabulary. Made once."""
    folder = context.work / "encoders" / name
    if folder.is_dir():
        return folder
    with atomic.new_folder(folder) as new:
        vocabulary = sizes[4]
        theirs = _tokenizer_files(context, vocabulary)
        for file in theirs:
            shutil.copyfile(file, new / file.name)
        if not theirs:
            words = [*_SPECIAL, *made_up_words(vocabulary - len(_SPECIAL))]
            (new / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
        encoder = new_encoder(sizes)
        encoder.save_pretrained(new)
    return folder


def new_encoder(sizes: tuple[int, int, int, int, int], dropout: float = 0.1) -> BertEncoder:
    """An encoder with random weights on the processor."""
    layers, hidden, heads, inner, vocabulary = sizes
    encoder = BertEncoder(
        EncoderConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=inner,
            max_position_embeddings=_POSITIONS,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )
    encoder.initialise(torch.Generator().manual_seed(0))
    return encoder


def _tokenizer_files(context: Context, vocabulary: int) -> list[Path]:
    """Those of the pretrained encoder if its vocabulary is of that size."""
    try:
        folder = pretrained(context)
    except Skipped:
        return []
    words = folder / "vocab.txt"
    if not words.is_file() or len(words.read_text("utf-8").splitlines()) != vocabulary:
        return []
    return [folder / name for name in _TOKENIZER if (folder / name).is_file()]


def made_up_words(count: int) -> list[str]:
    """So many different words: those of the demo data, then numbered ones."""
    words = [*_demo_words(), *(f"word{i}" for i in range(count))]
    return words[:count]


@cache
def _demo_words() -> tuple[str, ...]:
    files = sorted((Path(mtbert.__file__).parent / "demo_data").glob("*.csv"))
    found = {w for file in files for w in re.findall("[a-z]+", file.read_text("utf-8").lower())}
    return tuple(sorted(found))


# Data


def speed_tasks(context: Context, *names: str) -> dict[str, Any]:
    """The tasks' settings: on the course's files, or on drawn ones where these are not there."""
    if _on_course(context):
        os.environ["MTBERT_DATA"] = str(context.data)
        return {name: configuration(name)["tasks"][name] for name in names}
    return {name: _drawn_task(context, name) for name in names}


def make(context: Context, names: Sequence[str]) -> None:
    """Make what the contestants of a step share, before they look for it at the same moment."""
    timed_encoder(context)
    speed_tasks(context, *names)


def is_made(context: Context, names: Sequence[str]) -> bool:
    """Whether there is nothing left to make."""
    made = [context.work / "encoders" / "timed"]
    if not _on_course(context):
        made += [context.work / "drawn" / name for name in names]
    return all(folder.is_dir() for folder in made)


def _on_course(context: Context) -> bool:
    return context.data is not None and not context.miniature


def data_used(context: Context) -> str:
    """For the record."""
    return (
        "the course's training sets"
        if _on_course(context)
        else "drawn: sequences of the course's lengths"
    )


def drawn_lengths(name: str, rows: int) -> NDArray[np.int64]:
    """Tokens of each sequence, drawn between the quantiles."""
    generator = np.random.default_rng(0)
    places = np.linspace(0, 1, len(LENGTHS[name]))
    found: NDArray[np.int64] = np.interp(generator.random(rows), places, LENGTHS[name]).astype(int)
    return found


def _drawn_task(context: Context, name: str) -> dict[str, Any]:
    folder = context.work / "drawn" / name
    rows = context.scale.rows
    if not folder.is_dir():
        words = _one_token_words(timed_encoder(context))
        with atomic.new_folder(folder) as new:
            _write_rows(new / "train.csv", name, drawn_lengths(name, rows), words)
            _write_rows(new / "dev.csv", name, drawn_lengths(name, 16), words[::-1])
    return {
        **_KINDS[name],
        "train": str(folder / "train.csv"),
        "dev": str(folder / "dev.csv"),
    }


def _one_token_words(folder: Path) -> list[str]:
    words = (folder / "vocab.txt").read_text("utf-8").splitlines()
    return [word for word in words if re.fullmatch("[a-z]{2,}|word[0-9]+", word)]


def _write_rows(file: Path, name: str, lengths: NDArray[np.int64], words: list[str]) -> None:
    generator = np.random.default_rng(1)
    pair = name != "sst"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        texts = ["sentence1", "sentence2"] if pair else ["sentence"]
        writer.writerow(["id", *texts, "label"])
        for number, length in enumerate(lengths):
            count = max(len(texts), int(length) - 1 - len(texts))
            chosen = [words[i] for i in generator.integers(len(words), size=count)]
            label = int(generator.integers(_LARGEST_LABEL[name] + 1))
            writer.writerow([f"{name}{number}", *_shared_out(chosen, len(texts)), label])


def _shared_out(words: list[str], parts: int) -> Iterator[str]:
    middle = len(words) // parts
    yield " ".join(words[:middle] if parts == 2 else words)
    if parts == 2:
        yield " ".join(words[middle:])
