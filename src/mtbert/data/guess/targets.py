"""What a column of labels asks for: classes, a number, or several labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mtbert.config.labels import canonical_names
from mtbert.data.guess.columns import Column
from mtbert.data.guess.words import CLASS_WORDS, SCALE_WORDS, words_of
from mtbert.data.label_lists import SEPARATORS, list_items

__all__ = ["Target", "is_count", "target_of"]

_SCALES = ((0, 1), (-1, 1), (1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (0, 100))
"""Ranges that people give numbers on, the narrow ones first."""
_MOST_CLASSES, _FEW = 500, 20
"""As `data.completion` has it: what is more or rarer is no column of classes."""
_MOST_CODES = 50
"""Numbers that count classes are at most so many."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted.

    Attributes:
        kind: `classification`, `regression` or `multilabel_classification`, without `pair_`.
        counts: examples by class, in order; empty for a regression.
        range: limits of a regression that is on a usual scale.
        span: smallest and largest number.
        decimal_comma: whether decimals stand behind a comma.
        separator: between labels; None where they are lists in brackets.
        doubt: the other way in which the column could be meant.
    """

    kind: str
    counts: dict[str, int]
    range: tuple[float, float] | None = None
    span: tuple[float, float] | None = None
    decimal_comma: bool = False
    separator: str | None = None
    doubt: str | None = None


def target_of(column: Column, rows: int) -> Target | None:
    """What a column may be a label for; None: nothing that can be learned."""
    if not column.filled:
        return None
    if column.lists:
        return _label_lists(column, None) if 2 * column.lists >= column.filled else None
    if column.is_number:
        return _numbers(column)
    if (separator := _list_separator(column)) is not None:
        return _label_lists(column, separator)
    return _classes(column)


def is_count(column: Column, target: Target) -> bool:
    """Whether numbers look like counts (of likes, of views) more than like labels."""
    named = words_of(column.name) & (CLASS_WORDS | SCALE_WORDS)
    whole = column.whole == column.numbers and not column.commas
    wide = target.kind == "regression" and target.range is None
    return wide and whole and not named and column.distinct > _FEW


def _numbers(column: Column) -> Target | None:
    comma = column.commas > 0
    whole = column.whole == column.numbers and not comma
    span = (column.low, column.high)
    if column.distinct == 1:
        return None
    if whole and _are_codes(column):
        doubt = "kind: regression" if column.distinct > 2 else None
        return Target("classification", _counts(column), span=span, doubt=doubt)
    if whole and column.distinct == column.filled > _FEW and column.rising:
        return None  # it counts the rows
    classes = whole and column.distinct <= _FEW
    return Target(
        "regression", {}, _scale(column), span, comma,
        doubt="kind: classification" if classes else None,
    )  # fmt: skip


def _are_codes(column: Column) -> bool:
    """Whether whole numbers stand for classes: two of them, or by the name, or 0, 1, 2, …"""
    words = words_of(column.name)
    if column.distinct == 2 and (column.low, column.high) in ((0, 1), (-1, 1), (1, 2)):
        return True
    if column.distinct > _MOST_CODES or words & SCALE_WORDS:
        return False
    usual = (column.low, column.high) in _SCALES
    if words & CLASS_WORDS:
        return not (usual and column.low == 1) or column.distinct <= 2
    every = column.distinct == column.high - column.low + 1
    return every and column.low in (0, 1) and not usual and column.high < _FEW


def _scale(column: Column) -> tuple[float, float] | None:
    """The usual scale that numbers fill: both of its ends are nearly reached."""
    for low, high in _SCALES:
        near = 0.1 * (high - low)
        if low <= column.low <= low + near and high - near <= column.high <= high:
            return (low, high)
    return None


def _classes(column: Column) -> Target | None:
    names = canonical_names(column.values)
    if len(names) < 2 or column.mean_words > 6:
        return None
    few = len(names) <= _FEW or 2 * len(names) <= column.filled
    repeats = len(names) < column.filled or bool(words_of(column.name) & CLASS_WORDS)
    if not few or not repeats or len(names) > _MOST_CLASSES:
        return None
    return Target("classification", _counts(column))


def _counts(column: Column) -> dict[str, int]:
    """Examples of each class, by the name that it is given."""
    names = canonical_names(column.values)
    counts: Counter[str] = Counter()
    for value, number in column.values.items():
        own = value if value in names else next(iter(canonical_names([value])))
        counts[own] += number
    return {name: counts[name] for name in names}


def _list_separator(column: Column) -> str | None:
    """What divides the cells into few labels that come in many combinations."""
    for separator in SEPARATORS:
        several = sum(n for value, n in column.values.items() if separator in value)
        if 10 * several < column.filled:
            continue
        items = Counter(i for value in column.values for i in list_items(value, separator))
        short = all(len(item.split()) <= 4 for item in items)
        again = sum(1 for number in items.values() if number > 1)
        if short and 1 < len(items) <= _MOST_CLASSES and 2 * again > len(items):
            return separator
    return None


def _label_lists(column: Column, separator: str | None) -> Target | None:
    counts: Counter[str] = Counter()
    try:
        for value, number in column.values.items():
            for item in set(list_items(value, separator)):
                counts[item] += number
    except ValueError:
        return None
    if not counts or len(counts) > _MOST_CLASSES or len(counts) >= max(_FEW, column.filled):
        return None
    return Target(
        "multilabel_classification", {n: counts[n] for n in sorted(counts)}, separator=separator
    )
