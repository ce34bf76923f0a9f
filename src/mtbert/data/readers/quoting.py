"""Whether the quotes of a table are quoting, or part of the texts: seen from all of its lines.

Most research files are written without quoting: a text may open with a quote, and read as quoted
it runs on to the next quote, lines later. No single line shows which it is. Counted are rows that
each reading loses: a quoted row that joins lines of which several are rows of their own, or that
breaks the rules of quoting in a line that is a row of its own; and a well-formed quoted row that is
none when its quotes are text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Record", "quotes_are_text", "records"]


@dataclass(frozen=True, slots=True)
class Record:
    """What standard quoting makes of some lines.

    Attributes:
        line: number of the first.
        lines: how many they are.
        whole: how many of them are rows of their own if quotes are text.
        cells: None where the rules are broken.
        error: which rule.
    """

    line: int
    lines: int
    whole: int
    cells: list[str] | None
    error: str | None = None

    def joins_rows(self, separator: str) -> bool:
        """Whether lines that look like rows have become one.

        A text of several lines may hold commas, so that its lines look like rows; tabs it has not.
        """
        return self.lines > 1 and self.whole > 1 and separator == "\t"


def records(lines: Iterable[str], separator: str, columns: int, start: int) -> Iterator[Record]:
    """The records of a table by standard quoting; blank lines are none."""
    count = whole = 0

    def watched() -> Iterator[str]:
        nonlocal count, whole
        for line in lines:
            count += 1
            whole += line.count(separator) == columns - 1
            yield line

    reader = csv.reader(watched(), delimiter=separator, strict=True)
    while True:
        start, count, whole = start + count, 0, 0
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Record(start, count, whole, None, str(error))
            continue
        if cells is None:
            return
        if cells:
            yield Record(start, count, whole, cells)


def quotes_are_text(lines: Iterable[str], separator: str, columns: int) -> bool:
    """Whether a table loses fewer rows if its quotes are read as text."""
    lost_quoted = lost_plain = 0
    for record in records(lines, separator, columns, 1):
        if record.cells is None or record.joins_rows(separator):
            lost_quoted += record.whole
        elif len(record.cells) == columns:
            lost_plain += record.lines > 1 or not record.whole
    return lost_quoted > lost_plain
