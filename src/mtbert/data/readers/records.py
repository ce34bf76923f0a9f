"""Records, as JSON and Parquet hold them → rows: values become text, objects inside columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mtbert.data.readers.base import Row

__all__ = ["no_constant", "row_of"]

_LONGEST_NAME = 200
"""Characters of a column's name up to which objects inside are looked at."""


def row_of(number: int, record: Mapping[str, Any]) -> Row:
    """The row that a record is.

    Values become text, as JSON spells them; null, and NaN, as some programs write what is missing,
    an empty one. A list is kept apart; a key of an object inside is the column `outer.inner`.
    """
    values: dict[str, str] = {}
    lists: dict[str, str] = {}
    for key, value in _flat(record):
        if isinstance(value, list):
            text = json.dumps(value, ensure_ascii=False, default=str)
            lists.setdefault(key, _without_surrogates(text))
        else:
            values.setdefault(key, _text(value))
    return Row(number, values, lists=lists)


def _flat(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values of an object, then of objects inside it, whatever their depth."""
    waiting = [("", record)]
    while waiting:
        prefix, part = waiting.pop()
        for key, value in part.items():
            if isinstance(value, dict):
                if len(prefix) + len(key) > _LONGEST_NAME:
                    continue
                waiting.append((f"{prefix}{key}.", value))
            else:
                yield prefix + key, value


def no_constant(name: str) -> None:
    """NaN as null. Python's reader takes it and the infinities for numbers, JSON has neither.

    Raises:
        ValueError: an infinity.
    """
    if name != "NaN":
        raise ValueError(f"{name} is no JSON value")


def _text(value: Any) -> str:
    if value is None or value != value:  # NaN alone differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _without_surrogates(str(value))


def _without_surrogates(text: str) -> str:
    """JSON can escape half a character (`\\ud800`), which no file can be written with."""
    return text.encode("utf-8", "replace").decode("utf-8")
