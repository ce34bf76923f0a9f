"""JSON lines: one object a line, each with its own columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from mtbert.config.format import FormatSettings
from mtbert.data.readers.base import Row, Table, decode_line, has_undecodable, iterate_lines
from mtbert.io.bounded import unique_keys

__all__ = ["read", "recognises"]


_LONGEST_NAME = 200
"""Characters of a column's name up to which objects inside are looked at."""


def recognises(name: str, first: bytes) -> bool:
    """A name ending in .jsonl or .ndjson, or a first line that starts with `{`."""
    text = decode_line(first).removeprefix("\ufeff")
    return name.endswith((".jsonl", ".ndjson")) or text.lstrip().startswith("{")


def read(name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
    """Values become text, as JSON spells them; null, and NaN, as some programs write what is
    missing, an empty one. A list is kept apart; a key of an object inside is the column
    `outer.inner`. Blank lines are skipped.

    Raises:
        UserError: a line is too long.
    """
    return Table(name, None, _rows(iterate_lines(name, first, stream)))


def _rows(lines: Iterator[str]) -> Iterator[Row]:
    for number, text in enumerate(lines, start=1):
        if text.strip():
            yield _row(number, text)


def _row(line: int, text: str) -> Row:
    if has_undecodable(text):
        return Row(line, problem="not UTF-8, expected a file saved as UTF-8")
    try:
        record = json.loads(text, object_pairs_hook=unique_keys, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return Row(line, problem=f"not a JSON object ({reason}), expected one object a line")
    if not isinstance(record, dict):
        return Row(line, problem=f"found a JSON {type(record).__name__}, expected an object")
    values: dict[str, str] = {}
    lists: dict[str, str] = {}
    for key, value in _flat(record):
        if isinstance(value, list):
            lists.setdefault(key, _without_surrogates(json.dumps(value, ensure_ascii=False)))
        else:
            values.setdefault(key, _text(value))
    return Row(line, values, lists=lists)


def _flat(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
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


def _constant(name: str) -> None:
    """NaN as null. Python's reader takes it and the infinities for numbers, JSON has neither.

    Raises:
        ValueError: an infinity.
    """
    if name != "NaN":
        raise ValueError(f"{name} is no JSON value")


def _text(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _without_surrogates(str(value))


def _without_surrogates(text: str) -> str:
    """JSON can escape half a character (`\\ud800`), which no file can be written with."""
    return text.encode("utf-8", "replace").decode("utf-8")
