"""Texts that are longer than a sequence: which of their tokens are encoded, and in which windows.

Everything here is on token ids without special tokens, row by row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbert.data.ragged import Ragged, spans

__all__ = ["cut_into_windows", "head", "head_and_tail", "longest_first"]

Lengths = NDArray[np.int64]


def head(texts: Ragged, kept: Lengths) -> Ragged:
    """The first `kept` tokens of each text, `[texts]`."""
    return _pieces(texts, texts.offsets[:-1], kept)


def head_and_tail(texts: Ragged, kept: Lengths) -> Ragged:
    """`kept` tokens of each text: of one that is longer, a quarter from its beginning, the rest
    from its end.

    Of 512 tokens with the two special ones 128 are the beginning and 382 the end. Source: Sun et
    al., How to Fine-Tune BERT for Text Classification?, 2019, section 5.3.1.

    Args:
        texts: token ids.
        kept: `[texts]`, at most the tokens that the text has.
    """
    begins = np.where(kept < texts.lengths, (kept + 2) // 4, kept)
    starts = np.stack([texts.offsets[:-1], texts.offsets[1:] - (kept - begins)], axis=1)
    parts = np.stack([begins, kept - begins], axis=1)
    both = _pieces(texts, starts.ravel(), parts.ravel())
    return Ragged(both.values, both.offsets[::2])


def cut_into_windows(
    texts: Ragged, room: int, limit: int
) -> tuple[Ragged, Lengths, NDArray[np.bool_]]:
    """Consecutive windows of at most `room` tokens, without overlap; every text has at least one.

    Args:
        texts: token ids.
        room: tokens of a window.
        limit: windows of a text; what lies behind them is left out.

    Returns:
        The windows of the first text, then those of the next, and so on; the number of each text's
        windows, `[texts]`; and whether some of its tokens were left out, `[texts]`.
    """
    needed = np.maximum(-(-texts.lengths // room), 1)
    counts = np.minimum(needed, limit)
    places = spans(np.zeros_like(counts), counts) * room  # of each window in its text
    lengths = np.minimum(np.repeat(texts.lengths, counts) - places, room)
    windows = _pieces(texts, np.repeat(texts.offsets[:-1], counts) + places, lengths)
    return windows, counts, needed > limit


def longest_first(first: Lengths, second: Lengths, room: int) -> tuple[Lengths, Lengths]:
    """Lengths of two texts after tokens are taken from the longer one until both fit; by row."""
    excess = np.maximum(first + second - room, 0)
    cut_first = np.clip(first - second, 0, excess)
    cut_second = np.clip(second - first, 0, excess)
    rest = excess - cut_first - cut_second
    return first - cut_first - rest // 2, second - cut_second - (rest - rest // 2)


def _pieces(texts: Ragged, starts: Lengths, lengths: Lengths) -> Ragged:
    """A row for each start among the tokens of all texts."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Ragged(texts.values[spans(starts, lengths)], offsets)
