"""Several labels of one example: lists as people write them, and columns of 0 and 1.

A list in brackets holds quoted or bare items, as JSON and Python write them: `["a", "b"]`,
`['a', 'b']`, `[a, b]`. Any other cell is divided by a separator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from mtbert.errors import shown

__all__ = ["SEPARATORS", "label_numbers", "list_items", "list_names", "yes_or_no"]

SEPARATORS = (";", "|", ",")
"""What may stand between labels where a configuration does not say."""

_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}

_EXAMPLE = '["a", "b"]'

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|,|[^,'"\[\]]+""", re.DOTALL)
"""Of a list in brackets: a quoted item, a comma, or what else stands between commas."""


def list_items(text: str, separator: str | None) -> list[str]:
    """The items of a cell: of a list in brackets, or of what the separator divides.

    Args:
        text: the cell, not blank.
        separator: between items outside brackets; None: the cell is one item.

    Raises:
        ValueError: brackets that hold no plain list; the message says what was found and expected.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return _bracketed(text)
    parts = [text] if separator is None else text.split(separator)
    return [part for part in map(str.strip, parts) if part]


def list_names(cells: Iterable[str], separator: str | None = None) -> list[str]:
    """The labels that occur in a column of lists, sorted.

    Without a separator the one of `SEPARATORS` that occurs outside brackets is meant.

    Raises:
        ValueError: several of them occur, so that the user must say which it is, or brackets hold
            no plain list.
    """
    column = [text for cell in cells if (text := cell.strip())]
    if separator is None:
        plain = [c for c in column if not (c.startswith("[") and c.endswith("]"))]
        found = [s for s in SEPARATORS if any(s in cell for cell in plain)]
        if len(found) > 1:
            raise ValueError(
                f"labels may be separated by {' or '.join(map(repr, found))}; say which with "
                "`label_separator`"
            )
        separator = found[0] if found else None
    return sorted({item for cell in column for item in list_items(cell, separator)})


def label_numbers(names: Sequence[str], text: str, separator: str | None) -> tuple[int, ...]:
    """The numbers of the labels in a cell; `[]` has none.

    An item is a label's name or, unless names are numbers themselves, its number from 0. Without a
    separator the cell is divided in every way that gives known labels alone, which must be one.

    Raises:
        ValueError: there is no such way, or more than one; the message says what was found and
            expected.
    """
    text = text.strip()
    bracketed = text.startswith("[") and text.endswith("]")
    ways = [separator] if bracketed or separator is not None else [None, *SEPARATORS]
    readings: dict[tuple[int, ...], None] = {}
    problem = None
    for way in ways:
        if way is not None and not bracketed and separator is None and way not in text:
            continue
        try:
            readings[_numbers(names, list_items(text, way))] = None
        except ValueError as error:
            problem = error  # of the way that divides the cell, if there is one
    if len(readings) > 1:
        raise ValueError(
            f"labels {shown(text)} can be read in two ways; write them as a list in brackets, or "
            "set `label_separator`"
        )
    if not readings:
        assert problem is not None
        raise problem
    return next(iter(readings))


def yes_or_no(column: str, text: str) -> bool:
    """What a cell of a label's own column says.

    Raises:
        ValueError: neither.
    """
    found = text.strip().lower()
    if found in _YES or found in _NO:
        return found in _YES
    raise ValueError(
        f"column {column!r}: found {shown(text.strip())}, expected 1 or 0, true or false, yes or no"
    )


def _bracketed(text: str) -> list[str]:
    """The items of a list in brackets, JSON's or Python's.

    Raises:
        ValueError: it is neither, or an item is a list itself.
    """
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = _python_items(text[1:-1])
    if items is None or any(item is None or isinstance(item, (dict, list)) for item in items):
        raise ValueError(f"labels {shown(text)}, expected a list such as {_EXAMPLE}")
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _python_items(text: str) -> list[str] | None:
    """What stands between brackets, by commas; None where it is no list of plain items.

    Quotes without commas between them, as in numpy's `['a' 'b']`, are none.
    """
    tokens: list[str] = []
    place = 0
    while found := _TOKEN.match(text, place):
        tokens.append(found[0].strip())
        place = found.end()
    tokens = [token for token in tokens if token]
    items, commas = tokens[::2], tokens[1::2]
    if place < len(text) or "," in items or any(token != "," for token in commas):
        return None
    return [re.sub(r"\\(.)", r"\1", i[1:-1]) if i[0] in "'\"" else i for i in items]


def _numbers(names: Sequence[str], items: Sequence[str]) -> tuple[int, ...]:
    numbers = [_number(names, item) for item in items]
    for position, number in enumerate(numbers):
        if number in numbers[:position]:
            raise ValueError(f"label {shown(names[number])} twice, expected each once")
    return tuple(sorted(numbers))


def _number(names: Sequence[str], item: str) -> int:
    if item in names:
        return names.index(item)
    are_numbers = any(_is_number(name) for name in names)
    if not are_numbers and re.fullmatch(r"\d{1,6}", item, re.ASCII) and int(item) < len(names):
        return int(item)
    first = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    raise ValueError(f"label {shown(item)}, expected some of {first}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
