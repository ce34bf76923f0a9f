"""Ragged arrays: rows of different lengths in flat memory, without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ragged", "Texts", "spans"]

Indices = NDArray[np.int64]


class Ragged:
    """Rows of numbers in one array.

    Attributes:
        values: `[total]`, int32 for token ids, uint8 for UTF-8.
        offsets: `[rows + 1]`, int64; row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    def __init__(self, values: NDArray[np.integer], offsets: Indices) -> None:
        self.values = values
        self.offsets = offsets

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """Rows of token ids."""
        offsets = _offsets(np.fromiter(map(len, rows), np.int64, len(rows)))
        values = np.fromiter(chain.from_iterable(rows), np.int32, int(offsets[-1]))
        return cls(values, offsets)

    @classmethod
    def join(cls, parts: Sequence[Ragged]) -> Ragged:
        """The rows of the first part, then those of the next, and so on."""
        lengths = np.concatenate([part.lengths for part in parts])
        return cls(np.concatenate([part.values for part in parts]), _offsets(lengths))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.integer]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[np.integer]]:
        return (self[row] for row in range(len(self)))

    @cached_property
    def lengths(self) -> Indices:
        """`[rows]`; computed once, for each step of training asks for some."""
        return np.diff(self.offsets)

    def take(self, rows: Indices) -> Ragged:
        """The chosen rows, in that order."""
        lengths = self.lengths[rows]
        return Ragged(self.values[spans(self.offsets[rows], lengths)], _offsets(lengths))


class Texts(Sequence[str]):
    """Texts in one array of UTF-8: a tenth of the memory of as many `str`."""

    def __init__(self, rows: Ragged) -> None:
        self.rows = rows

    @classmethod
    def from_list(cls, texts: Sequence[str]) -> Texts:
        """Texts that UTF-8 can hold."""
        encoded = [text.encode() for text in texts]
        offsets = _offsets(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        return cls(Ragged(np.frombuffer(b"".join(encoded), np.uint8), offsets))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]  # no slices
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.rows[row].tobytes().decode()


def spans(starts: Indices, lengths: Indices) -> Indices:
    """`[sum of lengths]`: the positions start, start + 1, … of each span, one after another."""
    before = np.cumsum(lengths) - lengths
    positions: Indices = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
    return positions


def _offsets(lengths: Indices) -> Indices:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
