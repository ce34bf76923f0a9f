"""A data file → a data set: token ids, labels, and what is wrong with the file.

Texts are read and tokenized a few thousand at a time and not kept. The result is a function of
the file's bytes and a few settings, so it is taken from the cache when it was made before.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import TokenizedSet, tokenize
from mtbert.data.cache import Arrays, Cache, content_key
from mtbert.data.examples import LeftOut, iterate_examples
from mtbert.data.held_out import Rows
from mtbert.data.leaks import text_keys
from mtbert.data.ragged import Ragged, Texts
from mtbert.data.sources import Source, form_of, paths_of, source_digest
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError
from mtbert.version import __version__

__all__ = ["DataSet", "load_data_set"]

_CHUNK = 8192
_FORMAT = 3
"""Raise it when the same file and settings come to give other arrays."""
_SIDES = ("side1", "side2")
_NO_INFLUENCE = {
    "train", "dev", "test", "uses", "loss", "head", "layers", "hidden_size", "hidden_activation",
    "features", "dropout", "loss_weight", "batch_size", "class_weights", "threshold", "target",
}  # fmt: skip
"""Settings of a task that do not change its data sets; any other is part of the key."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """The usable examples of one file, or of several, and what was left out of it.

    Attributes:
        path: the file, or the files.
        inputs: the examples, tokenized, with their labels.
        ids: of the examples.
        keys: `[examples]`, see `leaks.text_keys`.
        left_out: bad rows and the like.
    """

    path: Source
    inputs: TokenizedSet
    ids: Texts
    keys: NDArray[np.uint64]
    left_out: LeftOut = field(default_factory=LeftOut)

    def __len__(self) -> int:
        return len(self.ids)


def load_data_set(
    path: Source,
    task: TaskSettings,
    tokenizer: Tokenizer,
    max_length: int,
    *,
    cache: Cache | None = None,
    labelled: bool = True,
    blank_is_unlabelled: bool = False,
    rows: Rows | None = None,
) -> DataSet:
    """Read, check and tokenize a file, or take the same from the cache.

    Args:
        path: the file, or several.
        task: says which columns hold what, which labels are valid, and how texts are encoded.
        tokenizer: of the encoder.
        max_length: tokens of a sequence; longer ones are cut.
        cache: None to read the file in any case.
        labelled: see `read_examples`.
        blank_is_unlabelled: see `read_examples`.
        rows: None for all of them.

    Raises:
        UserError: as `read_examples`.
    """
    how = {"labelled": labelled, "blank_is_unlabelled": blank_is_unlabelled}
    if cache is None or (bytes_read := source_digest(path)) is None:
        return _read(path, task, tokenizer, max_length, rows, **how)
    key = content_key(
        {
            "format": _FORMAT,
            "versions": [__version__, *sys.version_info[:2]],
            "file": bytes_read,
            "names": form_of(path),  # .jsonl tells the format
            "task": task.model_dump(mode="json", exclude=_NO_INFLUENCE),
            "tokenizer": tokenizer.digest,
            "max_length": max_length,
            **how,
            **({} if rows is None else {"rows": [rows.held_out, sorted(rows.lines)]}),
        }
    )
    if (arrays := cache.get(key)) is not None:
        return _from_arrays(path, arrays)
    found = _read(path, task, tokenizer, max_length, rows, **how)
    if source_digest(path) == bytes_read:  # else it changed while it was read
        cache.put(key, _to_arrays(found))
    return found


def _read(
    path: Source,
    task: TaskSettings,
    tokenizer: Tokenizer,
    max_length: int,
    rows: Rows | None,
    **how: bool,
) -> DataSet:
    left_out = LeftOut()
    examples = iterate_examples(path, task, left_out, **how)
    if rows is not None:
        examples = rows.of(examples)
    parts, ids, keys = [], [], []
    while chunk := list(itertools.islice(examples, _CHUNK)):
        if left_out.problems and task.on_bad_rows == "error":
            continue  # this ends in an error; read on for the other problems alone
        parts.append(tokenize(chunk, task, tokenizer, max_length))
        ids.append(Texts.from_list([example.id for example in chunk]).rows)
        keys.append(text_keys(chunk))
    if not parts:
        raise UserError(f"{path}: too few rows to hold some out; name a `dev` file")
    if rows is not None and rows.held_out:
        left_out = LeftOut()  # it is told of the rows that are trained on
    inputs = TokenizedSet.join(parts)
    return DataSet(path, inputs, Texts(Ragged.join(ids)), np.concatenate(keys), left_out)


def _to_arrays(found: DataSet) -> Arrays:
    inputs, left_out = found.inputs, found.left_out
    # Problems name their file, which may stand elsewhere next time.
    names = [f"{path}:" for path in paths_of(found.path)]
    problems = [
        next((i, text.removeprefix(name)) for i, name in enumerate(names) if text.startswith(name))
        for text in left_out.problems
    ]
    report = [problems, left_out.unlabelled, left_out.unused_columns, inputs.truncated]
    arrays: Arrays = {
        "first_lengths": inputs.first_lengths,
        "labels": inputs.labels,
        "keys": found.keys,
        "report": np.frombuffer(json.dumps(report).encode(), np.uint8),
    }
    for name, rows in (("ids", found.ids.rows), *_sides(inputs)):
        arrays |= {f"{name}.values": rows.values, f"{name}.offsets": rows.offsets}
    for name, counts in zip(_SIDES, inputs.windows or (), strict=False):
        arrays[f"{name}.windows"] = counts
    return arrays


def _from_arrays(path: Source, arrays: Arrays) -> DataSet:
    def rows(name: str) -> Ragged:
        return Ragged(arrays[f"{name}.values"], arrays[f"{name}.offsets"])

    problems, unlabelled, unused, truncated = json.loads(arrays["report"].tobytes())
    sides = tuple(rows(name) for name in _SIDES if f"{name}.values" in arrays)
    windows = tuple(arrays[key] for name in _SIDES if (key := f"{name}.windows") in arrays)
    inputs = TokenizedSet(
        sides, arrays["first_lengths"], arrays["labels"], truncated, windows or None
    )
    files = paths_of(path)
    told = [f"{files[number]}:{problem}" for number, problem in problems]
    left_out = LeftOut(told, unlabelled, tuple(unused))
    return DataSet(path, inputs, Texts(rows("ids")), arrays["keys"], left_out)


def _sides(inputs: TokenizedSet) -> list[tuple[str, Ragged]]:
    return list(zip(_SIDES, inputs.sequences, strict=False))
