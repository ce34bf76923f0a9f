"""Examples → packed batches: sequences one after another, `[tokens]`, no padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtbert.batch import TokenBatch
from mtbert.data.examples import Example
from mtbert.data.tokenizer import Ragged, Tokenizer
from mtbert.settings import TaskSettings

__all__ = ["FeatureSet", "TokenizedSet", "longest_first", "token_budget_batches", "tokenize"]


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

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`[examples]`: tokens of each example, all its sequences together."""
        total: NDArray[np.int64] = np.sum([side.lengths for side in self.sequences], axis=0)
        return total

    def inputs(self, indices: Sequence[int] | NDArray[np.int64]) -> TokenBatch:
        """The sequences of some examples, packed in that order, one side after the other."""
        rows = [side[i] for side in self.sequences for i in indices]
        lengths = tuple(len(row) for row in rows)
        segments = np.zeros(sum(lengths), dtype=np.int64)
        if len(self.sequences) == 1:
            end = 0
            for i, length in zip(indices, lengths, strict=True):
                segments[end + self.first_lengths[i] : end + length] = 1
                end += length
        return TokenBatch(
            torch.from_numpy(np.concatenate(rows).astype(np.int64)),
            torch.from_numpy(segments),
            lengths,
        )

    def label_tensor(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """`[chosen]`, float32: class numbers or regression values."""
        return _labels(self.labels, indices)


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

    def inputs(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """`[chosen, sides, W]`."""
        return self.features[torch.as_tensor(np.asarray(indices))]

    def label_tensor(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """`[chosen]`, float32: class numbers or regression values."""
        return _labels(self.labels, indices)


def _labels(labels: NDArray[np.float64], indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(labels[np.asarray(indices)].astype(np.float32))


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
    cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
    labels = np.array([np.nan if e.label is None else e.label for e in examples], np.float64)
    if task.kind.is_pair and task.pair_encoding == "jointly":
        room = max_length - 3
        cuts = [
            longest_first(len(a), len(b), room) for a, b in zip(sides[0], sides[1], strict=True)
        ]
        pairs = [
            (cls, a[:m], sep, b[:n], sep)
            for a, b, (m, n) in zip(sides[0], sides[1], cuts, strict=True)
        ]
        joined = Ragged.from_rows(np.concatenate(pair) for pair in pairs)
        truncated = sides[0].lengths + sides[1].lengths > room
        first = np.array([m + 2 for m, _ in cuts], dtype=np.int64)
        return TokenizedSet((joined,), first, labels, int(truncated.sum()))
    room = max_length - 2
    sequences = tuple(
        Ragged.from_rows(np.concatenate((cls, row[:room], sep)) for row in side) for side in sides
    )
    truncated = np.any([side.lengths > room for side in sides], axis=0)
    return TokenizedSet(sequences, sequences[0].lengths, labels, int(truncated.sum()))


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Lengths of two texts after tokens are taken from the longer one until both fit."""
    excess = first + second - room
    if excess <= 0:
        return first, second
    cut_first = max(0, min(excess, first - second))
    cut_second = max(0, min(excess, second - first))
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
