"""Which columns of a table hold texts or labels, which name the rows, and which are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mtbert.data.guess.columns import Column, TableProfile
from mtbert.data.guess.targets import Target, is_count, target_of
from mtbert.data.guess.words import (
    CLASS_WORDS,
    ID_WORDS,
    ROW_WORDS,
    SPLIT_WORDS,
    TEXT_WORDS,
    TITLE_WORDS,
    words_of,
)

__all__ = ["Roles", "roles_of"]

_PAIRS = (
    ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2"), ("text", "text2"),
    ("premise", "hypothesis"), ("first", "second"), ("left", "right"), ("a", "b"),
    ("query", "passage"), ("query", "document"), ("question", "answer"), ("source", "target"),
    ("question", "sentence"), ("question", "passage"), ("query", "title"), ("one", "two"),
    ("original", "paraphrase"), ("anchor", "candidate"), ("reference", "candidate"),
)  # fmt: skip
"""Names of two columns that hold the texts of a pair, or words in which their names differ."""
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b.*|\d{4}-\d\d-\d\dT.*")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\S+")
_DECORATED = re.compile(
    r"[-+]?[$€£¥]? ?\d+(?:[,.'\u2019\u00a0 ]\d{3})*(?:[.,]\d+)? ?(?:%|[$€£¥]|EUR|USD|GBP)?"
)
"""A number, with separators of thousands, a currency or a sign of percent."""
_NO_TEXT = 6
"""Characters below which the cells of a column without spaces are no texts."""


@dataclass(slots=True)
class Roles:
    """What the columns of a table are taken for.

    Attributes:
        texts: one column, or the two of a pair; empty: none holds texts.
        title: a column that is read with the one text, in front of it.
        targets: by column.
        id: the column that names the rows.
        left_out: why a column is not used, by its name.
    """

    texts: tuple[str, ...] = ()
    title: str | None = None
    targets: dict[str, Target] = field(default_factory=dict)
    id: str | None = None
    left_out: dict[str, str] = field(default_factory=dict)


def roles_of(table: TableProfile) -> Roles:
    """Guess from the columns' names and what they hold."""
    found = Roles()
    left: dict[str, Column] = {}
    for name, column in table.columns.items():
        if not column.filled:
            found.left_out[name] = "is empty"
        elif column.distinct == 1 and table.rows > 1:
            found.left_out[name] = f"holds one value alone, {_cut(next(iter(column.values)))!r}"
        elif words_of(name) & SPLIT_WORDS and column.distinct < 20:
            found.left_out[name] = "names parts of the data"
        elif _matches(column, _DATE):
            found.left_out[name] = "holds dates"
        elif _matches(column, _ADDRESS):
            found.left_out[name] = "holds addresses"
        elif _is_decorated(column):
            found.left_out[name] = (
                f"holds numbers written like {_cut(next(iter(column.values)))!r}; to predict them "
                "write digits alone, with a point before decimals"
            )
        elif _names_rows(column, table.rows):
            unique = column.distinct == column.filled == table.rows
            if found.id is None and unique:
                found.id = name
            found.left_out[name] = (
                "names the rows" if unique else "holds ids of which some repeat or are missing"
            )
        else:
            left[name] = column
    texts = [c for c in left.values() if _is_text(c)] or _nearest_to_text(left)
    named = table.form is None or table.form.header
    found.texts = _chosen(texts, named=named)
    found.title = _title(texts, found.texts)
    for column in texts:
        if column.name not in (*found.texts, found.title):
            found.left_out[column.name] = "holds texts too; map it as `text` instead if it is meant"
    for name, column in left.items():
        if name in (*found.texts, found.title) or name in found.left_out:
            continue
        if (target := target_of(column, table.rows)) is not None:
            found.targets[name] = target
        elif column.is_number:
            found.left_out[name] = "counts the rows"
        else:
            found.left_out[name] = (
                f"holds {column.distinct} different values in {column.filled} rows, too many to "
                "be classes"
            )
    counts = [name for name, t in found.targets.items() if is_count(table.columns[name], t)]
    if len(counts) < len(found.targets):
        for name in counts:
            del found.targets[name]
            found.left_out[name] = (
                "holds whole numbers of no usual scale; add a task, `kind: regression`, if they "
                "are to be predicted"
            )
    return found


def _matches(column: Column, pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(value) for value in list(column.values)[:50])


def _is_decorated(column: Column) -> bool:
    """Whether cells are numbers that are not spelled plainly: `1,299.00`, `$5`, `12 %`."""
    marked = any(re.search(r"[^\d.,+-]|[.,]\d{3}[.,]", value) for value in column.values)
    plain = column.numbers == column.filled
    return marked and not plain and _matches(column, _DECORATED)


def _names_rows(column: Column, rows: int) -> bool:
    """Whether a column holds ids: of the rows, or of what occurs in them."""
    words = words_of(column.name) | set(re.findall(r"[a-z]+", column.name.lower()))
    spelled = words | {word.rstrip("s") for word in words}
    if column.mean_words > 3 or column.lists:
        return False
    if column.is_number and column.whole < column.numbers:
        return False
    many = column.distinct > max(3, rows // 20)
    if spelled & ID_WORDS or column.name.lower().rstrip("0123456789").endswith("id"):
        return many
    unique = column.distinct == column.filled
    if spelled & ROW_WORDS and unique and rows > 1:
        return True
    counts = column.is_number and column.rising and unique and column.high - column.low == rows - 1
    return counts and rows > 3 and not words & CLASS_WORDS


def _is_text(column: Column) -> bool:
    if column.is_number or 2 * column.lists > column.filled:
        return False
    words = words_of(column.name)
    differ = column.distinct / column.filled
    if words & CLASS_WORDS and not words & TEXT_WORDS and differ < 0.5:
        return False
    if column.mean_words >= 4:
        return column.distinct > max(2, column.filled // 20) or differ > 0.5
    if words & TEXT_WORDS and differ > 0.5:
        return column.mean_characters >= 2
    letters = sum(not c.isascii() for value in list(column.values)[:50] for c in value)
    unspaced = letters > 2 * min(50, len(column.values)) and column.mean_characters >= _NO_TEXT
    return differ > 0.7 and (column.mean_words >= 1.8 or unspaced)


def _nearest_to_text(columns: dict[str, Column]) -> list[Column]:
    """The column with the longest cells among those that mostly differ, if there is one."""
    texts = [
        c for c in columns.values()
        if not c.is_number and not c.lists and c.mean_characters > 1
        and (2 * c.distinct > c.filled or words_of(c.name) & TEXT_WORDS)
        and not words_of(c.name) & CLASS_WORDS
    ]  # fmt: skip
    return [max(texts, key=lambda c: c.mean_characters)] if texts else []


def _chosen(texts: Sequence[Column], *, named: bool) -> tuple[str, ...]:
    """The texts of a pair, if names say so; else the column named like a text, or the longest."""
    for first in texts:
        for second in texts:
            if named and first is not second and _are_pair(first.name, second.name):
                return (first.name, second.name)
    if not named and len(texts) == 2 and _as_long(*texts):
        return (texts[0].name, texts[1].name)
    if not texts:
        return ()
    long = max(c.mean_characters for c in texts)
    best = max(
        texts,
        key=lambda c: (4 * c.mean_characters >= long, bool(words_of(c.name) & TEXT_WORDS),
                       c.mean_characters),
    )  # fmt: skip
    return (best.name,)


def _title(texts: Sequence[Column], chosen: Sequence[str]) -> str | None:
    """The column of titles, or subjects, of one column of longer texts."""
    if len(chosen) != 1 or words_of(chosen[0]) & TITLE_WORDS:
        return None
    titles = [c.name for c in texts if c.name not in chosen and words_of(c.name) & TITLE_WORDS]
    return titles[0] if len(titles) == 1 else None


def _as_long(first: Column, second: Column) -> bool:
    """Whether texts are about as long, as those of a pair are; a title is shorter."""
    lengths = sorted((first.mean_characters, second.mean_characters))
    return lengths[1] < 1.6 * lengths[0]


def _are_pair(first: str, second: str) -> bool:
    """Whether names are those of a pair: known ones, or alike but for a number or such a word."""
    one, two = first.lower().strip(), second.lower().strip()
    if (one, two) in _PAIRS:
        return True
    ones, twos = (re.findall(r"\d+|[^\W\d_]+", name) for name in (one, two))
    if len(ones) != len(twos):
        return twos in ([*ones, "1"], [*ones, "2"])
    apart = [(a, b) for a, b in zip(ones, twos, strict=True) if a != b]
    if len(apart) != 1:
        return False
    ((a, b),) = apart
    return (a, b) in _PAIRS or (a.isdecimal() and b.isdecimal() and int(a) + 1 == int(b))


def _cut(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:19]}…"
