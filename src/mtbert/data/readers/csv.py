"""CSV and TSV: the first line names the columns, unless the format says otherwise."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from mtbert.config.format import SEPARATORS, FormatSettings
from mtbert.data.readers.base import MAX_LINE, Row, Table, has_undecodable, iterate_lines
from mtbert.data.readers.quoting import Record, quotes_are_text, records
from mtbert.errors import UserError

__all__ = ["read", "recognises"]

_NOT_UTF_8 = "save it as UTF-8, or set `format: {encoding: cp1252}` if a Windows program wrote it"


def recognises(name: str, first: bytes) -> bool:
    """Any text may be one."""
    return True


def read(name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
    """Columns are separated and quoted as the format says, or else as the file shows.

    Raises:
        UserError: the header names no columns, or is no UTF-8; a line or row is too long.
    """
    csv.field_size_limit(MAX_LINE)  # the module's own limit is shorter than some reviews
    first, number, said = _without_separator_line(first, stream)
    lines = iterate_lines(name, first, stream, form.encoding, number)
    head = next(lines, "")
    separator = form.separating_character or said or _separator_of(head)
    header = _cells(name, number, head, separator, form)
    if not form.header:
        header = [str(position) for position in range(1, len(header) + 1)]
        lines, number = itertools.chain([head], lines), number - 1
    if not any(header):
        raise UserError(f"{name}:{number}: no column names, expected a header line")
    plain = form.quoting == "none"
    if form.quoting is None and stream.seekable() and not head.startswith('"'):
        place = stream.tell()
        rest = iterate_lines(name, stream.readline(MAX_LINE + 1), stream, form.encoding, number + 1)
        plain = quotes_are_text(rest, separator, len(header))
        stream.seek(place)
    if plain:
        rows = _plain_rows(name, header, lines, separator, number + 1)
    else:
        careful = form.quoting is None
        rows = _quoted_rows(name, header, lines, separator, number + 1, careful)
    names = {character: name for name, character in SEPARATORS.items()}
    seen = {"separator": names[separator], "quoting": "none" if plain else "standard"}
    return Table(name, tuple(header), rows, form.model_copy(update=seen))


def _without_separator_line(first: bytes, stream: BinaryIO) -> tuple[bytes, int, str | None]:
    """The first line and its number, behind Excel's `sep=;` if that is there, and what it says."""
    found = re.fullmatch(rb"(?:\xef\xbb\xbf)?sep=([,;|\t])\r?\n?", first)
    if found is None:
        return first, 1, None
    return stream.readline(MAX_LINE + 1), 2, found[1].decode()


def _separator_of(head: str) -> str:
    """A tab if the first line holds one (the course's .csv files), else what gives most cells."""
    if "\t" in head:
        return "\t"
    outside = re.sub(r'"[^"]*"', "", head)
    return max((",", ";", "|"), key=outside.count)


def _cells(name: str, number: int, head: str, separator: str, form: FormatSettings) -> list[str]:
    """The cells of the first line.

    Raises:
        UserError: it cannot be read.
    """
    if form.quoting == "none":
        cells = head.rstrip("\r\n").split(separator)
    else:
        try:
            cells = next(csv.reader([head], delimiter=separator, strict=True), [])
        except csv.Error as error:
            if form.header:
                raise UserError(f"{name}:{number}: broken header: {error}") from None
            cells = head.rstrip("\r\n").split(separator)
    if form.header and has_undecodable(head):
        raise UserError(f"{name}:{number}: not UTF-8; {_NOT_UTF_8}")
    return cells


def _plain_rows(
    name: str, header: list[str], lines: Iterable[str], separator: str, start: int
) -> Iterator[Row]:
    for number, line in enumerate(lines, start):
        cells = line.rstrip("\r\n").split(separator)
        if not _is_blank(cells):
            yield _row(number, cells, header)


def _quoted_rows(
    name: str, header: list[str], lines: Iterable[str], separator: str, start: int, careful: bool
) -> Iterator[Row]:
    taken, number = 0, start

    def lines_of_a_row() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += len(line)
            if taken > MAX_LINE:
                raise UserError(
                    f"{name}:{number}: a row of more than {MAX_LINE >> 20} MiB; is a quote left "
                    "open?"
                )
            yield line

    for record in records(lines_of_a_row(), separator, len(header), start):
        taken, number = 0, record.line + record.lines
        if record.cells is None:
            yield from _broken(record, f"broken quoting ({record.error})")
        elif careful and record.joins_rows(separator):
            yield from _broken(record, "a quote left open")
        elif not _is_blank(record.cells):
            yield _row(record.line, record.cells, header)


def _is_blank(cells: list[str]) -> bool:
    """Whether a row is one that spreadsheets write below a table: separators alone, or spaces."""
    return not any(map(str.strip, cells))


def _broken(record: Record, what: str) -> Iterator[Row]:
    """Each line by itself, so that no row is lost untold."""
    advice = "expected quotes doubled inside, or `format: {quoting: none}` if quotes are text"
    yield Row(record.line, problem=f"{what}, {advice}")
    for line in range(record.line + 1, record.line + record.lines):
        yield Row(line, problem=f"joined to line {record.line} by a quote left open there")


def _row(number: int, cells: list[str], header: list[str]) -> Row:
    if len(cells) != len(header):
        expected = f"expected {len(header)} as in the first line"
        return Row(number, problem=f"found {len(cells)} columns, {expected}")
    if any(has_undecodable(cell) for cell in cells):
        return Row(number, problem=f"not UTF-8; {_NOT_UTF_8}")
    return Row(number, dict(zip(header, cells, strict=True)))
