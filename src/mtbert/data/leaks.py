"""Examples that stand in training and in evaluation data."""

from __future__ import annotations

from collections.abc import Sequence

from mtbert.data.examples import Example

__all__ = ["leaked"]


def leaked(train: Sequence[Example], evaluation: Sequence[Example]) -> list[Example]:
    """Evaluation examples whose text, or pair of texts in either order, stands in train.

    Texts are compared as they are, up to white space at their ends; labels are not compared.
    """
    known = {_key(example) for example in train}
    return [example for example in evaluation if _key(example) in known]


def _key(example: Example) -> tuple[str, ...]:
    return tuple(sorted(example.texts))
