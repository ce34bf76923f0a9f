"""Whether the quotes of a table are quoting, or part of the texts: seen from all of its lines.

Most research files are written without quoting: a text may open with a quote, and read as quoted
it runs on to the next quote, lines later. No single line shows which it is. Counted are rows that
each reading loses: a quoted row that joins lines of which several are rows of their own, or that
breaks the rules of quoting in a line that is a row of its own; and a well-formed quoted row that is
none when its quotes are text, or whose texts would keep quotes that a program put around them.
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
        wraps: whether a cell lies between quotes, if it is read as text.
        doubles: whether such a cell holds quotes of its own, doubled as the rules ask.
        cells: None where the rules are broken.
        error: which rule.
    """

    line: int
    lines: int
    whole: int
    wraps: bool
    doubles: bool
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
    wraps = doubles = False

    def watched() -> Iterator[str]:
        nonlocal count, whole, wraps, doubles
        for line in lines:
            count += 1
            whole += line.count(separator) == columns - 1
            if '"' in line:
                wrapped = _wrapped(line.rstrip("\r\n").split(separator))
                wraps |= bool(wrapped)
                doubles |= any('"' in cell for cell in wrapped)
            yield line

    reader = csv.reader(watched(), delimiter=separator, strict=True)
    while True:
        start, count, whole = start + count, 0, 0
        wraps = doubles = False
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Record(start, count, whole, wraps, doubles, None, str(error))
            continue
        if cells is None:
            return
        if cells:
            yield Record(start, count, whole, wraps, doubles, cells)


def quotes_are_text(lines: Iterable[str], separator: str, columns: int) -> bool:
    """Whether a table loses fewer rows if its quotes are read as text."""
    lost_quoted = lost_plain = wrapped = good = 0
    for record in records(lines, separator, columns, 1):
        if record.cells is None or record.joins_rows(separator):
            lost_quoted += record.whole
        elif len(record.cells) == columns:
            good += 1
            if record.lines > 1 or not record.whole or record.doubles:
                lost_plain += 1
            else:
                wrapped += record.wraps
    # Between tabs a text may well be a quotation as a whole; most of a table's are not.
    by_a_program = separator != "\t" or 2 * wrapped > good
    return lost_quoted > lost_plain + (wrapped if by_a_program else 0)


def _wrapped(cells: list[str]) -> list[str]:
    """What stands between the quotes of cells that lie between quotes, by the rules."""
    found = [c[1:-1] for c in cells if len(c) > 1 and c[0] == c[-1] == '"']
    return [cell for cell in found if '"' not in cell.replace('""', "")]
