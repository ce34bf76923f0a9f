"""JSON lines: one object a line, each with its own columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from mtbert.config.format import FormatSettings
from mtbert.data.readers.base import Row, Table, decode_line, has_undecodable, iterate_lines, kinds
from mtbert.data.readers.records import no_constant, row_of
from mtbert.io.bounded import unique_keys

__all__ = ["read", "recognises"]


def recognises(name: str, first: bytes) -> bool:
    """A name ending in .jsonl or .ndjson, or a first line that starts with `{`."""
    text = decode_line(first).removeprefix("\ufeff")
    return kinds(name)[-1:] in ((".jsonl",), (".ndjson",)) or text.lstrip().startswith("{")


def read(name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
    """Records as `records.row_of` reads them. Blank lines are skipped.

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
        record = json.loads(text, object_pairs_hook=unique_keys, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return Row(line, problem=f"not a JSON object ({reason}), expected one object a line")
    if not isinstance(record, dict):
        return Row(line, problem=f"found a JSON {type(record).__name__}, expected an object")
    return row_of(line, record)
