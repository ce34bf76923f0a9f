"""What is said where a file, or a row of it, lacks a column that a task reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtbert.config.labels import label_value
from mtbert.data.readers.base import Row, Table
from mtbert.errors import UserError

__all__ = ["check_header", "lacking_column"]


def check_header(table: Table, needed: Sequence[str], id_column: str | None) -> None:
    """Refuse a header that lacks a column, or has one of those that are read twice.

    Args:
        table: whose columns its header names.
        needed: columns that must be there.
        id_column: one that may be there.

    Raises:
        UserError: names the columns that were found, and what to do.
    """
    columns = table.columns or ()
    place = table.place(1) if table.unit == "line" else table.name
    found = ", ".join(repr(c) for c in columns if c)
    for column in needed:
        if column not in columns:
            raise UserError(
                f"{place}: no column {column!r}, found {found}; {_column_advice(columns, needed)}"
            )
    for column in needed if id_column is None else {*needed, id_column}:
        if columns.count(column) > 1:
            raise UserError(
                f"{place}: column {column!r} occurs twice, expected names that differ; rename one"
            )


def lacking_column(row: Row, column: str) -> str:
    """What is wrong with a row that lacks a column."""
    if column in row.lists:
        return f"found a list in {column!r}, expected one value"
    inside = [key for key in (*row.values, *row.lists) if key.startswith(f"{column}.")]
    if inside:
        named = [f"{key!r}{' (a list)' if key in row.lists else ''}" for key in inside[:3]]
        return f"{column!r} is an object with {', '.join(named)}; `columns` may name such a key"
    return f"no column {column!r}, expected one"


def _column_advice(columns: Sequence[str], needed: Sequence[str]) -> str:
    """What to do about a column that a header lacks."""
    advice = "map it in tasks.NAME.columns (id, text, text2, label, labels)"
    if {*needed, "id"} & {*columns}:
        return advice
    if any(map(_is_no_name, columns)):
        return (
            "if the first line is a row and no header, set `format: {header: false}` and name "
            f"columns by their place, 1 to {len(columns)}; else {advice}"
        )
    several = "; if these are several columns, set `format: {separator: …}`"
    return advice + several if len(columns) == 1 else advice


def _is_no_name(cell: str) -> bool:
    """Whether a cell of a header is a number or a sentence."""
    cell = cell.strip()
    return not math.isnan(label_value(cell)) or cell.count(" ") > 2 or len(cell) > 60
