"""What the columns of a table hold, counted in one reading."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mtbert.config.format import FormatSettings
from mtbert.config.labels import label_value, says_nothing
from mtbert.data.guess.words import is_name
from mtbert.data.readers.base import Row
from mtbert.data.readers.table import SEEN, open_table, read_table
from mtbert.errors import UserError, shown

__all__ = ["MOST_VALUES", "Column", "TableProfile", "profile_table"]

MOST_VALUES = 20_000
"""Different values of a column that are counted; from then on all are taken to differ."""
_FIRST_ROWS = 200
_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclass(slots=True)
class Column:
    """One column; blank cells count for nothing.

    Attributes:
        name: by the header, or its place.
        filled: cells that are not blank.
        values: how often each value occurs, of the first `MOST_VALUES` different ones.
        characters: of all cells.
        words: of all cells, by spaces.
        numbers: cells that spell a number, and of these
        whole: those without decimals.
        commas: cells that spell a number with a comma before its decimals.
        low: the smallest number.
        high: the largest number.
        rising: whether each number was larger than the one before.
        lists: cells that are lists in brackets, or lists of JSON.
    """

    name: str
    filled: int = 0
    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    words: int = 0
    numbers: int = 0
    whole: int = 0
    commas: int = 0
    low: float = math.inf
    high: float = -math.inf
    rising: bool = True
    lists: int = 0
    _last: float = -math.inf

    def add(self, cell: str, *, is_list: bool) -> None:
        """Count one cell."""
        text = cell.strip()
        if not text or says_nothing(text):
            return
        self.filled += 1
        if len(self.values) < MOST_VALUES or text in self.values:
            self.values[text] += 1
        self.characters += len(text)
        self.words += len(text.split())
        if is_list or (text.startswith("[") and text.endswith("]")):
            self.lists += 1
            return
        if comma := _COMMA.fullmatch(text) is not None:
            self.commas += 1
        value = label_value(text.replace(",", ".") if comma else text)
        if math.isnan(value) or text.lower() in ("true", "false"):
            return
        self.numbers += 1
        self.whole += value.is_integer()
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.rising &= value > self._last
        self._last = value

    @property
    def distinct(self) -> int:
        """Different values."""
        counted = self.values.total()
        return len(self.values) + self.filled - counted

    @property
    def is_number(self) -> bool:
        """Whether every cell spells a number."""
        return self.filled > 0 and self.numbers == self.filled

    @property
    def mean_words(self) -> float:
        """Words of a cell."""
        return self.words / max(1, self.filled)

    @property
    def mean_characters(self) -> float:
        """Characters of a cell."""
        return self.characters / max(1, self.filled)


@dataclass(slots=True)
class TableProfile:
    """A table, seen without a task.

    Attributes:
        path: its file.
        form: how it is written; None: JSON lines.
        rows: their number, without bad ones.
        bad: their number.
        problem: what is wrong with the first bad one.
        columns: by name, in the order of the file.
    """

    path: Path
    form: FormatSettings | None
    rows: int = 0
    bad: int = 0
    problem: str | None = None
    columns: dict[str, Column] = field(default_factory=dict)


def profile_table(path: Path, form: FormatSettings | None = None) -> TableProfile:
    """Read a table, whose encoding and header are seen from what it holds unless given.

    Raises:
        UserError: it cannot be read, or holds no row.
    """
    if form is not None:
        return _profile(path, form)
    form = _seen_encoding(path)
    if not _has_header(path, form):
        form = form.model_copy(update={"header": False})
    found = _profile(path, form)
    if not found.rows:
        told = f" ({found.problem})" if found.problem else ""
        raise UserError(f"{path}: no rows, expected texts and their labels{told}")
    return found


def _profile(path: Path, form: FormatSettings) -> TableProfile:
    with open_table(path) as stream:
        table = read_table(stream, str(path), form)
        found = TableProfile(path, table.form)
        for name in table.columns or ():
            if name.strip():
                found.columns[name] = Column(name)
        for row in table.rows:
            if row.problem is not None:
                found.bad += 1
                found.problem = found.problem or f"line {row.line}: {row.problem}"
                continue
            found.rows += 1
            _count(found.columns, row)
    return found


def _count(columns: dict[str, Column], row: Row) -> None:
    for cells, is_list in ((row.values, False), (row.lists, True)):
        for name, cell in cells.items():
            if name.strip():
                columns.setdefault(name, Column(name)).add(cell, is_list=is_list)


def _seen_encoding(path: Path) -> FormatSettings:
    """UTF-8, or what older programs write where bytes of the file mean nothing in it."""
    with open_table(path) as stream:
        while block := stream.read(1 << 20):
            block += stream.readline(1 << 20)  # characters do not end in the middle
            try:
                block.decode("utf-8")
            except UnicodeDecodeError:
                return SEEN.model_copy(update={"encoding": _encoding_of(block)})
    return SEEN


def _encoding_of(block: bytes) -> str:
    try:
        block.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _has_header(path: Path, form: FormatSettings) -> bool:
    """Whether the first line names the columns: no number, no sentence, no value of its column."""
    with open_table(path) as stream:
        table = read_table(stream, str(path), form)
        if table.columns is None:
            return True
        head = table.columns
        rows = [row for row, _ in zip(table.rows, range(_FIRST_ROWS), strict=False)]
    if not rows:
        return True
    columns = [Column(name) for name in head]
    for row in rows:
        for column, cell in zip(columns, row.values.values(), strict=False):
            column.add(cell, is_list=False)
    twice = [name for name, times in Counter(head).items() if times > 1 and name.strip()]
    if any(is_name(name) for name in twice):
        raise UserError(
            f"{path}:1: column {shown(twice[0])} occurs twice, expected names that differ; "
            "rename one"
        )
    if twice:
        return False
    named = [(n.strip(), c) for n, c in zip(head, columns, strict=True) if n.strip() and c.filled]
    if any(is_name(name) and name not in column.values for name, column in named):
        return True
    if any(_is_value(name, column) for name, column in named):
        return False
    if any(_repeats(column) for _, column in named):
        return True  # a first row would have one of the values
    return not any(_is_sentence(name) and column.mean_words > 3 for name, column in named)


def _is_value(name: str, column: Column) -> bool:
    """Whether what stands for a name is a number among numbers, or one of few values."""
    if not math.isnan(label_value(name)):
        return column.is_number or name in column.values
    return _repeats(column) and name in column.values


def _repeats(column: Column) -> bool:
    return 2 * column.distinct <= column.filled


def _is_sentence(name: str) -> bool:
    return len(name.split()) > 4 and len(name) > 20
