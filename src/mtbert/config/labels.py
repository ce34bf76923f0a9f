"""Names of classes: what a configuration may write for them, and which names mean the same."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BeforeValidator

from mtbert.errors import shown

__all__ = [
    "LabelNames", "canonical_names", "label_value", "look_of", "says_nothing", "values_of",
]  # fmt: skip

_BOOLEANS = {"false": 0.0, "true": 1.0}
_NOTHING = frozenset({"nan", "<na>", "null", "#n/a"})


def label_value(text: str) -> float:
    """The value that a label spells: a number, or 0 and 1 for false and true; NaN for a word.

    `1`, `1.0` and `01` have one value. Python's own spellings `1_000`, `nan` and `inf` have none.
    """
    if (boolean := _BOOLEANS.get(text.lower())) is not None:
        return boolean
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def says_nothing(text: str) -> bool:
    """Whether a label is what programs write for a missing one; `None` and `NA` may be classes."""
    return text.lower() in _NOTHING


def values_of(names: Sequence[str]) -> tuple[float, ...] | None:
    """The values of names that all have one, each its own; else None: they are words."""
    values = tuple(label_value(name) for name in names)
    if any(map(math.isnan, values)) or len(set(values)) < len(values):
        return None
    return values


def canonical_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that labels of a file stand for, in order.

    Numbers numerically, each once however it is spelled; false before true; words alphabetically.
    """
    found = {unicodedata.normalize("NFC", text) for text in labels}
    if found and all(text.lower() in _BOOLEANS for text in found):
        return tuple(sorted({text.lower() for text in found}))
    values = [label_value(text) for text in found]
    if any(map(math.isnan, values)):
        return tuple(sorted(found, key=lambda text: (text.casefold(), text)))
    return tuple(_number_name(value) for value in sorted(set(values)))


def look_of(name: str) -> str:
    """What a reader sees of a name: without case, unseen characters and kinds of white space."""
    text = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(seen.split())


def _number_name(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _names(value: object) -> object:
    """Numbers and true/false among the names, as YAML reads them, become text.

    Raises:
        ValueError: a name is neither text, a number nor true/false.
    """
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(map(_name, value))


def _name(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return _number_name(value)
    raise ValueError(
        f"found {shown(value)}, expected names of classes; write it in quotes if it is one"
    )


LabelNames = Annotated[tuple[str, ...], BeforeValidator(_names)]
