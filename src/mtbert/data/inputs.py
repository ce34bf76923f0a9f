"""Rows to be answered: which tasks a table has the columns of, and the texts of each row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbert.config.columns import TextPlace, columns_in, text_at
from mtbert.config.format import FormatSettings
from mtbert.config.tasks import TaskSettings
from mtbert.data.label_values import parse_label
from mtbert.data.readers.base import Row, Table
from mtbert.data.readers.table import SEEN, open_table, read_table
from mtbert.errors import UserError, shown

__all__ = [
    "Columns",
    "Inputs",
    "Question",
    "columns_of",
    "format_of_other_files",
    "hides_labels",
    "inputs_of",
    "tasks_that_fit",
]

Columns = tuple[TextPlace, ...]
"""Where a task reads its text, or its two texts, from."""


@dataclass(frozen=True, slots=True)
class Question:
    """One row to be answered.

    Attributes:
        id: from its column, or the number of the row, counted from 1 with the bad ones.
        line: in the file.
        texts: by the columns that they stand in.
    """

    id: str
    line: int
    texts: Mapping[Columns, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a table asks.

    Attributes:
        columns: of the table.
        tasks: names of those that it has the columns of.
        rows: read on the way; a bad one is the message of what is wrong with it.
    """

    columns: tuple[str, ...]
    tasks: list[str]
    rows: Iterator[Question | str]


def inputs_of(table: Table, tasks: Mapping[str, TaskSettings], id_column: str | None) -> Inputs:
    """The rows of a table, for those of the tasks that find their columns in it.

    Args:
        table: open.
        tasks: that may be answered, at least one.
        id_column: the column of the ids, which must be there; None: `columns.id` of the first
            task, or `id`, where there is one.

    Raises:
        UserError: no task finds its columns, the ids are missing, or a column is there twice.
    """
    rows, columns = table.rows, table.columns
    if columns is None:  # JSON lines: the first that is readable tells which columns there are
        first: list[Row] = []
        for row in rows:
            first.append(row)
            if row.problem is None:
                break
        columns = tuple(first[-1].values) if first else ()
        rows = itertools.chain(first, rows)
    fit = tasks_that_fit(table.name, columns, tasks)
    needed = {column for name in fit for column in tasks[name].text_columns}
    if id_column is not None:
        needed.add(id_column)
        if id_column not in columns:
            raise UserError(
                f"{table.name}: no column {id_column!r} for the ids, found {_listed(columns)}"
            )
    for column in sorted(needed):
        if columns.count(column) > 1:
            raise UserError(f"{table.name}:1: column {column!r} occurs twice")
    ids = id_column or tasks[fit[0]].columns.id_column
    sets = list(dict.fromkeys(tasks[name].text_places for name in fit))
    return Inputs(columns, fit, _questions(table, rows, sets, ids))


def tasks_that_fit(
    name: str, columns: Sequence[str], tasks: Mapping[str, TaskSettings]
) -> list[str]:
    """Tasks whose texts have their columns.

    Raises:
        UserError: none has; names what was found and what each needs.
    """
    fit = [task for task, s in tasks.items() if set(s.text_columns) <= set(columns)]
    if fit:
        return fit
    wants = "; ".join(
        f"{task} needs {' and '.join(map(repr, s.text_columns))}" for task, s in tasks.items()
    )
    pair = any(s.kind.is_pair for s in tasks.values())
    example = "--columns text=COLUMN" + (" text2=COLUMN" if pair else "")
    raise UserError(
        f"{name}: none of the columns that are needed: found {_listed(columns)}; {wants}; say "
        f"which column is which by {example}"
    )


def format_of_other_files(tasks: Mapping[str, TaskSettings]) -> FormatSettings:
    """How a file is taken to be written that is none of the tasks' own.

    As theirs, if they agree; but a header shows what separates the columns better than they do.
    """
    first, *others = [task.format for task in tasks.values()]
    if any(form != first for form in others):
        return SEEN
    return first.model_copy(update={"separator": None}) if first.header else first


def columns_of(path: Path, form: FormatSettings = SEEN) -> tuple[str, ...]:
    """Names of a file's columns: of its header, or of its first JSON object.

    Args:
        path: the file.
        form: how it is written, as far as that is known.

    Raises:
        UserError: it cannot be read.
    """
    with open_table(path) as stream:
        table = read_table(stream, str(path), form)
        if table.columns is not None:
            return table.columns
        return next((tuple(row.values) for row in table.rows if row.problem is None), ())


def hides_labels(path: Path, task: TaskSettings) -> bool:
    """Whether a file has no labels to score by: all are blank, or -1 as where they are hidden."""
    try:
        parse_label(task, "-1")
        hidden = {""}
    except ValueError:
        hidden = {"", "-1", "-1.0"}
    found = False
    with open_table(path) as stream:
        for row in read_table(stream, str(path), task.format).rows:
            if row.problem is None:
                cells = {row.values.get(column, "").strip() for column in task.label_columns}
                if row.lists or not cells <= hidden:
                    return False
                found = True
    return found


def _questions(
    table: Table, rows: Iterator[Row], sets: Sequence[Columns], ids: str | None
) -> Iterator[Question | str]:
    needed = [column for columns in sets for place in columns for column in columns_in(place)]
    for number, row in enumerate(rows, start=1):
        missing = [c for c in needed if c not in row.values]
        if row.problem is not None:
            yield f"{table.place(row.line)}: {row.problem}"
        elif missing:
            yield f"{table.place(row.line)}: no column {missing[0]!r}, expected one"
        else:
            texts = {columns: tuple(text_at(p, row.values) for p in columns) for columns in sets}
            found = None if ids is None else row.values.get(ids)
            yield Question(found or str(number), row.line, texts)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(shown(column) for column in columns if column) or "none"
