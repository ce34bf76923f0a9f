"""The interface of the readers: rows with their line numbers, bad ones marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import BinaryIO, Literal, Protocol

from mtbert.config.format import Encoding, FormatSettings
from mtbert.errors import UserError

__all__ = [
    "MAX_LINE",
    "Reader",
    "Row",
    "Table",
    "decode_line",
    "has_undecodable",
    "iterate_lines",
    "kinds",
    "shown_place",
]

MAX_LINE = 2 << 20
"""Bytes of a line, and characters of a row that spans several lines."""

_UNDECODABLE = range(0xDC80, 0xDD00)


@dataclass(frozen=True, slots=True)
class Row:
    """One record: values by column name, or what is wrong with it.

    Attributes:
        line: its number, from 1; in a file without lines that of the row, see `Table.unit`.
        values: by column.
        problem: what is wrong with the record.
        lists: values that are lists, as JSON; no text is one.
    """

    line: int
    values: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    lists: dict[str, str] = field(default_factory=dict)


Unit = Literal["line", "row"]


def shown_place(name: str, number: int, unit: Unit) -> str:
    """A line or a row of a file, as messages name it: `rows.csv:3`, `rows.json: row 3`."""
    return f"{name}:{number}" if unit == "line" else f"{name}: row {number}"


def kinds(name: str) -> tuple[str, ...]:
    """The endings of a file's name in small letters, compression left out: `.json` of a.json.gz."""
    return tuple(end for end in PurePath(name.lower()).suffixes if end != ".gz")


@dataclass(frozen=True, slots=True)
class Table:
    """An open file.

    Attributes:
        name: for messages.
        columns: by the header; None: each row has its own.
        rows: read on the way.
        form: how it is written, as far as it could be seen; None: JSON.
        unit: what the numbers of rows count.
        class_names: of columns in which numbers from 0 stand for classes that the file names.
    """

    name: str
    columns: tuple[str, ...] | None
    rows: Iterator[Row]
    form: FormatSettings | None = None
    unit: Unit = "line"
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def place(self, number: int) -> str:
        """Where a row stands, for messages."""
        return shown_place(self.name, number, self.unit)


class Reader(Protocol):
    """A file format. It never raises for what a record holds: that becomes `Row.problem`.

    The first line has been taken from the stream, and is handed over as its bytes.
    """

    def recognises(self, name: str, first: bytes) -> bool:
        """Whether a file with this name and first line is of this format."""

    def read(self, name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
        """The rows of a stream; where it can be read twice, all of it may tell what `form` leaves.

        Raises:
            UserError: its header is unusable; on the way: a line or row is too long.
        """


def iterate_lines(
    name: str, first: bytes, stream: BinaryIO, encoding: Encoding = "utf-8", number: int = 1
) -> Iterator[str]:
    """The first line, which has this number, and those that follow, decoded as by `decode_line`.

    Raises:
        UserError: a line is longer than `MAX_LINE`.
    """
    line = first
    while line:
        if len(line) > MAX_LINE:
            raise UserError(
                f"{name}:{number}: a line of more than {MAX_LINE >> 20} MiB; is this a text file?"
            )
        text = decode_line(line, encoding)
        yield text.removeprefix("\ufeff") if number == 1 else text
        number, line = number + 1, stream.readline(MAX_LINE + 1)


def decode_line(line: bytes, encoding: Encoding = "utf-8") -> str:
    """Bytes → text; those that mean nothing become surrogates, which `has_undecodable` finds."""
    return line.decode(encoding, "surrogateescape")


def has_undecodable(text: str) -> bool:
    """Whether a text was made of bytes that are not UTF-8."""
    return not text.isascii() and any(ord(c) in _UNDECODABLE for c in text)
