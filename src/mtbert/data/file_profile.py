"""What a data file holds, seen without a task: rows, columns, blanks, repeats, contradictions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from mtbert.data.readers.base import Row
from mtbert.data.readers.table import open_table, read_table

__all__ = ["FileProfile", "profile", "texts_in_both"]

_TEXT_CHARACTERS = 15
"""Mean length from which on a column is taken to hold texts."""

_FEW_VALUES = 100
"""Different values up to which a column may hold labels."""


@dataclass(slots=True)
class FileProfile:
    """A file, row by row.

    Attributes:
        path: the file.
        columns: by the header; None: JSON lines.
        rows: their number, bad ones included.
        problems: bad rows, as `file:line: what, expected what`.
        blanks: how often a column is blank.
        texts: rows by a hash of their texts: the values of the columns that hold texts.
        clashes: texts that occur with different values, by the column that holds these.
        text_columns: the columns that hold texts.
    """

    path: Path
    columns: tuple[str, ...] | None
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    blanks: Counter[str] = field(default_factory=Counter)
    texts: Counter[bytes] = field(default_factory=Counter)
    clashes: dict[str, int] = field(default_factory=dict)
    text_columns: tuple[str, ...] = ()

    @property
    def repeats(self) -> int:
        """Rows that repeat the texts of another one."""
        return self.texts.total() - len(self.texts)


def profile(path: Path) -> FileProfile:
    """Read a file.

    Raises:
        UserError: it cannot be read at all.
    """
    with open_table(path) as stream:
        table = read_table(stream, str(path))
        found = FileProfile(path, table.columns)
        characters: Counter[str] = Counter()
        for row in table.rows:
            found.rows += 1
            if row.problem is not None:
                found.problems.append(f"{table.place(row.line)}: {row.problem}")
            for key, value in row.values.items():
                if key and not value.strip():
                    found.blanks[key] += 1
                characters[key] += len(value)
    good = max(1, found.rows - len(found.problems))
    found.text_columns = tuple(c for c, n in characters.items() if n / good >= _TEXT_CHARACTERS)
    if found.text_columns:
        _compare_rows(found)
    return found


def texts_in_both(first: FileProfile, second: FileProfile) -> int:
    """Different texts that two files with the same columns of texts share."""
    if first.text_columns != second.text_columns:
        return 0
    return len(first.texts.keys() & second.texts.keys())


def _compare_rows(found: FileProfile) -> None:
    """Second reading: which texts repeat, and with which other values."""
    values: dict[str, dict[str, int]] = defaultdict(dict)
    said: dict[str, dict[bytes, set[int]]] = defaultdict(lambda: defaultdict(set))
    with open_table(found.path) as stream:
        for row in read_table(stream, str(found.path)).rows:
            if row.problem is None:
                key = _key(row, found.text_columns)
                found.texts[key] += 1
                for column, value in row.values.items():
                    numbers = values[column]
                    if column not in found.text_columns and len(numbers) <= _FEW_VALUES:
                        said[column][key].add(numbers.setdefault(value.strip(), len(numbers)))
    for column, by_text in said.items():
        clashes = sum(len(numbers) > 1 for numbers in by_text.values())
        if clashes and 2 * len(values[column]) <= found.rows and len(values[column]) <= _FEW_VALUES:
            found.clashes[column] = clashes


def _key(row: Row, columns: tuple[str, ...]) -> bytes:
    texts = [row.values.get(column, "").strip() for column in columns]
    content = "".join(f"{len(text)} {text}" for text in texts)
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
