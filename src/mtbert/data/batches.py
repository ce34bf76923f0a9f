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
from mtbert.data.long_texts import cut_into_windows, head, head_and_tail, longest_first
from mtbert.data.ragged import Ragged, spans
from mtbert.data.tokenizer import Tokenizer

__all__ = [
    "ExampleSource",
    "FeatureSet",
    "LabelTransform",
    "TokenizedSet",
    "token_budget_batches",
    "tokenize",
]


LabelTransform = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Labels as they stand in the file → what is trained on."""


def _as_they_are(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    return labels


class ExampleSource(Protocol):
    """What a task is trained on: token sequences, or the features of a frozen encoder."""

    labels: NDArray[np.float64]

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
        labels: `[examples]`, float64; NaN where there is none. Of several labels `[examples,
            labels]`, 0 or 1.
        truncated: examples of which some tokens were left out.
        windows: for each side the number of windows of each example, `[examples]`, whose sequences
            follow one another; None: one sequence each.
    """

    def __init__(
        self,
        sequences: tuple[Ragged, ...],
        first_lengths: NDArray[np.int64],
        labels: NDArray[np.float64],
        truncated: int,
        windows: tuple[NDArray[np.int64], ...] | None = None,
    ) -> None:
        self.sequences = sequences
        self.first_lengths = first_lengths
        self.labels = labels
        self.truncated = truncated
        self.windows = windows

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
            _join_windows([part.windows for part in parts]),
        )

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """`[examples]`: tokens of each example, all its sequences together."""
        sides = [side.lengths for side in self.sequences]
        if self.windows is not None:
            # Every text has a window, so no segment of the sum is empty.
            sides = [
                np.add.reduceat(tokens, np.cumsum(windows) - windows) if len(windows) else tokens
                for tokens, windows in zip(sides, self.windows, strict=True)
            ]
        total: NDArray[np.int64] = np.sum(sides, axis=0)
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
        if self.windows is not None:
            return self._windowed(chosen, self.windows)
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

    def _windowed(
        self, chosen: NDArray[np.int64], windows: tuple[NDArray[np.int64], ...]
    ) -> TokenBatch:
        """The windows of some examples; texts encoded alone have no second segment."""
        rows = Ragged.join(
            [
                side.take(spans((np.cumsum(counts) - counts)[chosen], counts[chosen]))
                for side, counts in zip(self.sequences, windows, strict=True)
            ]
        )
        counts = np.concatenate([side[chosen] for side in windows])
        return TokenBatch(
            torch.from_numpy(rows.values.astype(np.int64)),
            torch.zeros(len(rows.values), dtype=torch.int64),
            tuple(rows.lengths.tolist()),
            tuple(counts.tolist()) if (counts > 1).any() else None,
        )

    def label_tensor(
        self, indices: Sequence[int] | NDArray[np.int64], transform: LabelTransform = _as_they_are
    ) -> Tensor:
        """`[chosen]`, float32: class numbers or regression values, transformed in float64."""
        return _labels(transform(self.labels[np.asarray(indices)]))


class FeatureSet:
    """The examples of a `TokenizedSet`, encoded once by a frozen encoder.

    Attributes:
        features: `[examples, sides, …]`, what the task's head reads.
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
        """`[chosen, sides, …]`; features of pairs in both orders are the mean of both already."""
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

    Texts that are too long become what the task's `long_texts` says; of a pair encoded jointly,
    tokens are taken from the longer text first.
    """
    sides = [
        tokenizer.encode([example.texts[side] for example in examples])
        for side in range(2 if task.kind.is_pair else 1)
    ]
    labels = _label_array(examples, task)
    if task.long_texts == "windows":
        cut = [cut_into_windows(side, max_length - 2, task.window_limit) for side in sides]
        windows = tuple(_sequences([side], tokenizer) for side, _, _ in cut)
        counts, left_out = tuple(c for _, c, _ in cut), np.any([o for _, _, o in cut], axis=0)
        return TokenizedSet(windows, windows[0].lengths, labels, int(left_out.sum()), counts)
    keep = head_and_tail if task.long_texts == "head_tail" else head
    if task.kind.is_pair and task.sequences_per_example == 1:
        room = max_length - 3
        kept = longest_first(sides[0].lengths, sides[1].lengths, room)
        joined = _sequences([keep(*both) for both in zip(sides, kept, strict=True)], tokenizer)
        truncated = sides[0].lengths + sides[1].lengths > room
        return TokenizedSet((joined,), kept[0] + 2, labels, int(truncated.sum()))
    room = max_length - 2
    sequences = tuple(
        _sequences([keep(side, np.minimum(side.lengths, room))], tokenizer) for side in sides
    )
    truncated = np.any([side.lengths > room for side in sides], axis=0)
    return TokenizedSet(sequences, sequences[0].lengths, labels, int(truncated.sum()))


def _label_array(examples: Sequence[Example], task: TaskSettings) -> NDArray[np.float64]:
    """`[examples]`, or of several labels `[examples, labels]`; NaN where there is none."""
    labels = np.full((len(examples), *task.label_shape), np.nan)
    for row, example in enumerate(examples):
        if example.label is not None:
            labels[row] = example.label
    return labels


def _join_windows(
    parts: Sequence[tuple[NDArray[np.int64], ...] | None],
) -> tuple[NDArray[np.int64], ...] | None:
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return tuple(np.concatenate(side) for side in zip(*found, strict=True))


def _sequences(texts: Sequence[Ragged], tokenizer: Tokenizer) -> Ragged:
    """[CLS], then of each text its tokens and [SEP]; row by row."""
    offsets = np.zeros(len(texts[0]) + 1, dtype=np.int64)
    np.cumsum(np.sum([t.lengths for t in texts], axis=0) + 1 + len(texts), out=offsets[1:])
    values = np.empty(int(offsets[-1]), dtype=np.int32)
    place = offsets[:-1]
    values[place] = tokenizer.cls_id
    place = place + 1
    for text in texts:
        values[spans(place, text.lengths)] = text.values
        place = place + text.lengths + 1
        values[place - 1] = tokenizer.sep_id
    return Ragged(values, offsets)


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
