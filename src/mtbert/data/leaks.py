"""Leakage: examples that occur in both training and evaluation data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mtbert.data.examples import Example

__all__ = ["leaked", "text_keys"]

Keys = NDArray[np.uint64]


def text_keys(examples: Iterable[Example]) -> Keys:
    """`[examples]`: a number for each example's text, or pair of texts in either order.

    64 bits of a hash: among a million examples two different ones share a key with a probability
    of 3 in 100 million. Texts are taken as they are, up to white space at their ends.
    """
    return np.fromiter(map(_key, examples), np.uint64)


def leaked(train: Keys, evaluation: Keys) -> NDArray[np.int64]:
    """Positions of the evaluation examples whose texts stand in train, labels aside."""
    return np.flatnonzero(np.isin(evaluation, train))


def _key(example: Example) -> int:
    texts = sorted(example.texts)
    content = "".join(f"{len(text)} {text}" for text in texts)
    digest = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
