"""Tokenized examples, and packed batches of them: `[tokens]`, no padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import Example
from mtbert.data.ragged import Ragged, spans
from mtbert.data.tokenizer import Tokenizer

__all__ = [
    "ExampleSource",
    "FeatureSet",
    "LabelTransform",
    "TokenizedSet",
    "longest_first",
    "token_budget_batches",
    "tokenize",
]


LabelTransform = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Labels as they stand in the file → what is trained on."""


def _as_they_are(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    return labels


class ExampleSource(Protocol):
    """What a task is trained on: token sequences, or the features of a frozen encoder."""

    @property
    def lengths(self) -> NDArray[np.int64]: ...

    def __len__(self) -> int: ...

    def inputs(
        self, indices: NDArray[np.int64], swapped: NDArray[np.bool_] | None = None
    ) -> TokenBatch | Tensor: ...

    def label_tensor(
        self, indices: NDArray[np.int64], transform: LabelTransform = ...
    ) -> Tensor: ...


class TokenizedSet:
    """The sequences of a task's examples, ready to be packed.

    Attributes:
        sequences: one `Ragged` of whole sequences ([CLS] … [SEP]) per side: one side for single
            texts and pairs encoded jointly, two for pairs encoded separately.
        first_lengths: `[examples]`, tokens before segment 1 begins; the whole length unless a
            pair is encoded jointly.
        labels: `[examples]`, float64; NaN where there is none.
        truncated: examples that were cut to the maximal length.
    """

    def __init__(
        self,
        sequences: tuple[Ragged, ...],
        first_lengths: NDArray[np.int64],
        labels: NDArray[np.float64],
        truncated: int,
    ) -> None:
        self.sequences = sequences
        self.first_lengths = first_lengths
        self.labels = labels
        self.truncated = truncated

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def join(cls, parts: Sequence[TokenizedSet]) -> TokenizedSet:
        """The examples of the first part, then those of the next, and so on; at least one part."""
        return cls(
            tuple(Ragged.join(side) for side in zip(*(p.sequences for p in parts), strict=True)),
            np.concatenate([part.first_lengths for part in parts]),
            np.concatenate([part.labels for part in parts]),
            sum(part.truncated for part in parts),
        )

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """`[examples]`: tokens of each example, all its sequences together."""
        total: NDArray[np.int64] = np.sum([side.lengths for side in self.sequences], axis=0)
        return total

    def inputs(
        self,
        indices: Sequence[int] | NDArray[np.int64],
        swapped: NDArray[np.bool_] | None = None,
    ) -> TokenBatch:
        """The sequences of some examples, packed in that order, one side after the other.

        Args:
            indices: of the examples, `[chosen]`.
            swapped: `[chosen]`, which of them begin with their second text; None: none of them.
                Pairs encoded jointly only.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        rows = Ragged.join([side.take(chosen) for side in self.sequences])
        segments = np.zeros(len(rows.values), dtype=np.int64)
        if len(self.sequences) == 1:
            first = self.first_lengths[chosen]
            if swapped is not None:
                rows, first = _swap(rows, first, swapped)
            segments[spans(rows.offsets[:-1] + first, rows.lengths - first)] = 1
        return TokenBatch(
            torch.from_numpy(rows.values.astype(np.int64)),
            torch.from_numpy(segments),
            tuple(rows.lengths.tolist()),
        )

    def label_tensor(
        self, indices: Sequence[int] | NDArray[np.int64], transform: LabelTransform = _as_they_are
    ) -> Tensor:
        """`[chosen]`, float32: class numbers or regression values, transformed in float64."""
        return _labels(transform(self.labels[np.asarray(indices)]))


class FeatureSet:
    """The examples of a `TokenizedSet`, encoded once by a frozen encoder.

    Attributes:
        features: `[examples, sides, W]`, what the task's head reads.
        labels: `[examples]`, float64; NaN where there is none.
        lengths: `[examples]`, tokens of each example.
    """

    def __init__(self, features: Tensor, tokenized: TokenizedSet) -> None:
        self.features = features
        self.labels = tokenized.labels
        self.lengths = tokenized.lengths

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(
        self,
        indices: Sequence[int] | NDArray[np.int64],
        swapped: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """`[chosen, sides, W]`; features of pairs in both orders are the mean of both already."""
        return self.features.index_select(0, torch.as_tensor(indices, dtype=torch.int64))

    def label_tensor(
        self, indices: Sequence[int] | NDArray[np.int64], transform: LabelTransform = _as_they_are
    ) -> Tensor:
        """`[chosen]`, float32: class numbers or regression values, transformed in float64."""
        return _labels(transform(self.labels[np.asarray(indices)]))


def _swap(
    rows: Ragged, first: NDArray[np.int64], swapped: NDArray[np.bool_]
) -> tuple[Ragged, NDArray[np.int64]]:
    """[CLS] a [SEP] b [SEP] → [CLS] b [SEP] a [SEP] in some rows; tokens before segment 1 anew."""
    second = rows.lengths - first
    begin, a, b = rows.offsets[:-1][swapped] + 1, first[swapped] - 1, second[swapped]
    values = rows.values.copy()
    values[spans(begin, b)] = rows.values[spans(begin + a, b)]
    values[spans(begin + b, a)] = rows.values[spans(begin, a)]
    return Ragged(values, rows.offsets), np.where(swapped, second + 1, first)


def _labels(labels: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(labels.astype(np.float32))


def tokenize(
    examples: Sequence[Example], task: TaskSettings, tokenizer: Tokenizer, max_length: int
) -> TokenizedSet:
    """Tokenize once and assemble the sequences as the task encodes them.

    A sequence longer than `max_length` is cut; of a pair encoded jointly, tokens are taken from
    the end of the longer text first.
    """
    sides = [
        tokenizer.encode([example.texts[side] for example in examples])
        for side in range(2 if task.kind.is_pair else 1)
    ]
    labels = np.array([np.nan if e.label is None else e.label for e in examples], np.float64)
    if task.kind.is_pair and task.sequences_per_example == 1:
        room = max_length - 3
        cuts = longest_first(sides[0].lengths, sides[1].lengths, room)
        joined = _sequences(sides, cuts, tokenizer)
        truncated = sides[0].lengths + sides[1].lengths > room
        return TokenizedSet((joined,), cuts[0] + 2, labels, int(truncated.sum()))
    room = max_length - 2
    sequences = tuple(
        _sequences([side], [np.minimum(side.lengths, room)], tokenizer) for side in sides
    )
    truncated = np.any([side.lengths > room for side in sides], axis=0)
    return TokenizedSet(sequences, sequences[0].lengths, labels, int(truncated.sum()))


def _sequences(
    texts: Sequence[Ragged], kept: Sequence[NDArray[np.int64]], tokenizer: Tokenizer
) -> Ragged:
    """[CLS], then of each text the first `kept` tokens and [SEP]; row by row."""
    offsets = np.zeros(len(texts[0]) + 1, dtype=np.int64)
    np.cumsum(np.sum(kept, axis=0) + 1 + len(texts), out=offsets[1:])
    values = np.empty(int(offsets[-1]), dtype=np.int32)
    place = offsets[:-1]
    values[place] = tokenizer.cls_id
    place = place + 1
    for text, lengths in zip(texts, kept, strict=True):
        values[spans(place, lengths)] = text.values[spans(text.offsets[:-1], lengths)]
        place = place + lengths + 1
        values[place - 1] = tokenizer.sep_id
    return Ragged(values, offsets)


def longest_first(
    first: NDArray[np.int64], second: NDArray[np.int64], room: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths of two texts after tokens are taken from the longer one until both fit; by row."""
    excess = np.maximum(first + second - room, 0)
    cut_first = np.clip(first - second, 0, excess)
    cut_second = np.clip(second - first, 0, excess)
    rest = excess - cut_first - cut_second
    return first - cut_first - rest // 2, second - cut_second - (rest - rest // 2)


def token_budget_batches(lengths: NDArray[np.int64], budget: int = 8192) -> list[NDArray[np.int64]]:
    """Indices in batches of similar length and at most `budget` tokens, for evaluation.

    A single example longer than the budget is a batch of its own. Every index occurs once.
    """
    order = np.argsort(lengths, kind="stable")
    batches, start, used = [], 0, 0
    for end, index in enumerate(order):
        used += int(lengths[index])
        if used > budget and end > start:
            batches.append(order[start:end])
            start, used = end, int(lengths[index])
    if len(order):
        batches.append(order[start:])
    return batches
