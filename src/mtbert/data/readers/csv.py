"""CSV and TSV: the first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from mtbert.data.readers.base import MAX_LINE, Row, Table, has_undecodable, iterate_lines
from mtbert.errors import UserError

__all__ = ["read", "recognises"]


def recognises(name: str, first: bytes) -> bool:
    """Any text may be one."""
    return True


def read(name: str, first: bytes, stream: BinaryIO) -> Table:
    """Columns are separated by tabs if the first line holds one (the course's .csv files), else by
    commas.

    Raises:
        UserError: the header names no columns, or is no UTF-8; a line or row is too long.
    """
    lines = iterate_lines(name, first, stream)
    head = next(lines)
    delimiter = "\t" if "\t" in head else ","
    try:
        header = next(csv.reader([head], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UserError(f"{name}:1: broken header: {error}") from None
    if not any(header):
        raise UserError(f"{name}:1: no column names, expected a header line")
    if has_undecodable(head):
        raise UserError(f"{name}:1: not UTF-8; save the file as UTF-8")
    return Table(name, tuple(header), _rows(name, header, lines, delimiter))


def _rows(name: str, header: list[str], lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE)  # the module's own limit is shorter than some reviews
    start, taken = 2, 0  # the header is line 1

    def lines_of_a_row() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += len(line)
            if taken > MAX_LINE:
                raise UserError(
                    f"{name}:{start}: a row of more than {MAX_LINE >> 20} MiB; is a quote left "
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
        elif any(has_undecodable(cell) for cell in cells):
            yield Row(start, problem="not UTF-8, expected a file saved as UTF-8")
        else:
            yield Row(start, dict(zip(header, cells, strict=True)))
