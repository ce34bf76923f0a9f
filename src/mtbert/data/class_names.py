"""Numbers that stand for classes whose names a file holds: read by these names.

Data sets of the Hub number their classes, in an order of their own. A task that knows the classes
by the same names may have them in another one, so a number is read as the name that it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from mtbert.config.tasks import TaskSettings
from mtbert.data.readers.base import Row, Table

__all__ = ["names_in", "rows_by_name"]


def names_in(table: Table, task: TaskSettings) -> tuple[str, ...] | None:
    """Names of the classes, in the order of their numbers, if the file has them for the labels."""
    if task.kind.is_regression or task.columns.labels is not None:
        return None
    names = table.class_names.get(task.columns.label)
    return names if names is not None and len(set(names)) == len(names) > 1 else None


def rows_by_name(table: Table, task: TaskSettings) -> Iterator[Row]:
    """The rows of a table, numbers of classes replaced by the names that the task has for them.

    A task that calls its classes otherwise means them by their numbers.
    """
    names, column = names_in(table, task), task.columns.label
    if names is None or not set(names) <= set(task.class_names):
        return table.rows
    return (_by_name(row, column, names) for row in table.rows)


def _by_name(row: Row, column: str, names: tuple[str, ...]) -> Row:
    if column in row.values:
        return replace(row, values=row.values | {column: _name(row.values[column], names)})
    if column in row.lists:
        cells = [_name(str(value), names) for value in json.loads(row.lists[column])]
        return replace(row, lists=row.lists | {column: json.dumps(cells, ensure_ascii=False)})
    return row


def _name(cell: str, names: tuple[str, ...]) -> str:
    known = cell.isascii() and cell.isdecimal() and len(cell) < 10 and int(cell) < len(names)
    return names[int(cell)] if known else cell
