"""Rows of CSV, TSV and JSONL files, each with its line number and, if it is bad, the reason.

A reader yields one `Row` per record and never raises for what a record holds: what is wrong with
it becomes `Row.problem`. A further format is one more function from a binary stream to rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mtbert.errors import UserError
from mtbert.io.bounded import unique_keys

__all__ = ["Row", "Table", "open_table", "read_table"]

_MAX_LINE = 2 << 20  # bytes of a line, and characters of a row that goes over several lines
_UNDECODABLE = range(0xDC80, 0xDD00)


@dataclass(frozen=True, slots=True)
class Row:
    """One record: values by column name, or what is wrong with it."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: its name for messages, its columns (None for JSONL) and its rows."""

    name: str
    columns: tuple[str, ...] | None
    rows: Iterator[Row]


def open_table(path: Path) -> BinaryIO:
    """Open a data file for reading.

    Raises:
        UserError: it does not exist or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read: {reason}") from None


def read_table(stream: BinaryIO, name: str) -> Table:
    """The rows of a stream; the first line tells the format.

    A name ending in .jsonl or a first line that starts with `{` is JSONL. Otherwise the first
    line names the columns, separated by tabs if it holds one (the course's .csv files), else by
    commas.

    Raises:
        UserError: the stream is empty or its header is unusable.
    """
    lines = _lines(stream, name)
    first = next(lines, None)
    if first is None:
        raise UserError(f"{name}: empty file, expected a header line and rows")
    first = first.removeprefix("\ufeff")
    if name.endswith((".jsonl", ".ndjson")) or first.lstrip().startswith("{"):
        return Table(name, None, _json_rows(first, lines))
    delimiter = "\t" if "\t" in first else ","
    try:
        header = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UserError(f"{name}:1: broken header: {error}") from None
    if not any(header):
        raise UserError(f"{name}:1: no column names, expected a header line")
    if _has_undecodable(first):
        raise UserError(f"{name}:1: not UTF-8; save the file as UTF-8")
    return Table(name, tuple(header), _csv_rows(name, header, lines, delimiter))


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Decoded lines; bytes that are not UTF-8 become surrogates and are found row by row."""
    number = 0
    while line := stream.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise UserError(
                f"{name}:{number}: a line of more than {_MAX_LINE >> 20} MiB; is this a text file?"
            )
        yield line.decode("utf-8", "surrogateescape")


def _csv_rows(name: str, header: list[str], lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_MAX_LINE)  # the module's own limit is shorter than some reviews
    start, taken = 2, 0  # the header is line 1

    def lines_of_a_row() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += len(line)
            if taken > _MAX_LINE:
                raise UserError(
                    f"{name}:{start}: a row of more than {_MAX_LINE >> 20} MiB; is a quote left "
                    "open?"
                )
            yield line

    reader = csv.reader(lines_of_a_row(), delimiter=delimiter, strict=True)
    while True:
        start, taken = reader.line_num + 2, 0
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Row(start, problem=f"broken quoting ({error}), expected quotes doubled inside")
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            yield Row(
                start, problem=f"found {len(cells)} columns, expected {len(header)} as in line 1"
            )
        elif any(_has_undecodable(cell) for cell in cells):
            yield Row(start, problem="not UTF-8, expected a file saved as UTF-8")
        else:
            yield Row(start, dict(zip(header, cells, strict=True)))


def _json_rows(first: str, lines: Iterator[str]) -> Iterator[Row]:
    line, text = 1, first
    while True:
        if text.strip():
            yield _json_row(line, text)
        following = next(lines, None)
        if following is None:
            return
        line, text = line + 1, following


def _json_row(line: int, text: str) -> Row:
    if _has_undecodable(text):
        return Row(line, problem="not UTF-8, expected a file saved as UTF-8")
    try:
        record = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return Row(line, problem=f"not a JSON object ({reason}), expected one object a line")
    if not isinstance(record, dict):
        return Row(line, problem=f"found a JSON {type(record).__name__}, expected an object")
    values = {}
    for key, value in record.items():
        if isinstance(value, (dict, list)):
            continue  # a nested value is no column
        values[key] = "" if value is None else _without_surrogates(str(value))
    return Row(line, values)


def _without_surrogates(text: str) -> str:
    """JSON can escape half a character (`\\ud800`), which no file can be written with."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _has_undecodable(text: str) -> bool:
    return not text.isascii() and any(ord(c) in _UNDECODABLE for c in text)
