"""Rows → examples of one task: columns looked up, labels parsed, bad rows reported."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtbert.config.fields import LARGEST_LABEL
from mtbert.config.labels import label_value, values_of
from mtbert.config.tasks import TaskSettings
from mtbert.data.label_lists import label_numbers, yes_or_no
from mtbert.data.readers.base import Row, Table
from mtbert.data.readers.table import open_table, read_table
from mtbert.errors import UserError, problem_list, shown

__all__ = [
    "Example",
    "ExampleSet",
    "LeftOut",
    "iterate_examples",
    "label_texts",
    "parse_label",
    "parse_rows",
    "read_examples",
]


Label = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One row that can be used.

    `label` is a class number, a regression value, a 0 or 1 for each of several labels, or None
    where the row has none.
    """

    id: str
    texts: tuple[str, ...]
    label: Label | None
    line: int


@dataclass(slots=True)
class LeftOut:
    """What a file holds beside its examples; complete when all of them have been read."""

    problems: list[str] = field(default_factory=list)
    """Bad rows that were skipped, as `file:line: what, expected what`."""
    unlabelled: int = 0
    unused_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """The examples of one file, and what was left out of it."""

    path: Path
    examples: list[Example]
    left_out: LeftOut


def read_examples(
    path: Path, task: TaskSettings, *, labelled: bool = True, blank_is_unlabelled: bool = False
) -> ExampleSet:
    """All examples of a file.

    Args:
        path: the file.
        task: says which columns hold what, which labels are valid, and what becomes of bad rows.
        labelled: False for files to predict: labels are not looked at.
        blank_is_unlabelled: the file serves several tasks, so a blank label is no mistake; the
            row is left out and counted.

    Raises:
        UserError: unreadable file, a missing column, no usable row, or bad rows where the task
            says `on_bad_rows: error`; the first ten are listed.
    """
    left_out = LeftOut()
    examples = iterate_examples(
        path, task, left_out, labelled=labelled, blank_is_unlabelled=blank_is_unlabelled
    )
    return ExampleSet(path, list(examples), left_out)


def iterate_examples(
    path: Path,
    task: TaskSettings,
    left_out: LeftOut,
    *,
    labelled: bool = True,
    blank_is_unlabelled: bool = False,
) -> Iterator[Example]:
    """The same one by one; `left_out` is filled on the way, and errors come at the end."""
    problems = left_out.problems
    seen: dict[str, int] = {}
    with open_table(path) as stream:
        table = read_table(stream, str(path))
        for result in parse_rows(table, task, labelled=labelled):
            if isinstance(result, str):
                problems.append(result)
                continue
            if labelled and result.label is None and not blank_is_unlabelled:
                result = _with_blank_as_none(result, task)
            if labelled and result.label is None:
                if blank_is_unlabelled:
                    left_out.unlabelled += 1
                else:
                    problems.append(
                        f"{path}:{result.line}: blank label, expected {_expected(task)}"
                    )
            elif result.id in seen:
                problems.append(
                    f"{path}:{result.line}: id {shown(result.id)} is also in line "
                    f"{seen[result.id]}, expected unique ids"
                )
            else:
                seen[result.id] = result.line
                yield result
    if problems and task.on_bad_rows == "error":
        advice = "fix the rows, or leave them out with on_bad_rows: skip"
        raise UserError(f"{problem_list(str(path), problems)}\n{advice}")
    if not seen:
        none = f"{path}: no usable row, expected at least one"
        raise UserError(problem_list(none, problems) if problems else none)
    used = {*task.text_columns, *task.label_columns, task.columns.id or "id"}
    left_out.unused_columns = tuple(c for c in table.columns or () if c and c not in used)


def parse_rows(table: Table, task: TaskSettings, *, labelled: bool) -> Iterator[Example | str]:
    """Each row as an example (label None where blank) or as the message of what is wrong.

    Raises:
        UserError: a column is missing from the header.
    """
    id_column = task.columns.id or "id"
    needed = [*task.text_columns, *(task.label_columns if labelled else [])]
    if task.columns.id is not None:
        needed.append(id_column)
    if table.columns is not None:
        _check_header(table, needed, id_column)
    for number, row in enumerate(table.rows, start=1):
        result = _parse_row(row, task, needed, labelled)
        if isinstance(result, str):
            yield f"{table.name}:{row.line}: {result}"
        else:
            texts, label = result
            yield Example(row.values.get(id_column, str(number)), texts, label, row.line)


def label_texts(table: Table, task: TaskSettings) -> Iterator[str]:
    """The labels of rows whose texts can be used, as they stand there; blank ones are left out.

    Raises:
        UserError: a column is missing from the header.
    """
    needed = [*task.text_columns, task.columns.label]
    if table.columns is not None:
        _check_header(table, needed, task.columns.label)
    for row in table.rows:
        values = {**row.values, **row.lists} if task.kind.is_multilabel else row.values
        cells = [values.get(column, "").strip() for column in needed]
        if row.problem is None and all(cells):
            yield cells[-1]


def parse_label(task: TaskSettings, text: str) -> Label:
    """A class number, a regression value, or a 0 or 1 for each of several labels.

    Classes are found by their name; if all names are numbers or true/false, by its value, however
    it is spelled; if none is, by the class's number.

    Raises:
        ValueError: not a label of this task; the message says what was found and expected.
    """
    if task.kind.is_multilabel:
        chosen = label_numbers(task.class_names, text, task.label_separator)
        return tuple(float(number in chosen) for number in range(len(task.class_names)))
    if task.kind.is_classification:
        names = task.class_names
        if text in names:
            return names.index(text)
        value, values = label_value(text), values_of(names)
        if values is not None and value in values:
            return values.index(value)
        if _counts_classes(task) and value in range(len(names)):
            return int(value)
    elif abs(value := _number(text)) <= LARGEST_LABEL:
        low, high = task.range or (-math.inf, math.inf)
        if low <= value <= high:
            return value
    raise ValueError(f"label {shown(text)}, expected {_expected(task)}")


def _with_blank_as_none(example: Example, task: TaskSettings) -> Example:
    """A blank list of labels in a file of one task is an empty one; other blanks say nothing."""
    if not task.kind.is_multilabel or task.columns.labels is not None:
        return example
    return replace(example, label=(0.0,) * len(task.class_names))


def _check_header(table: Table, needed: list[str], id_column: str) -> None:
    columns = table.columns or ()
    found = ", ".join(repr(c) for c in columns if c)
    for column in needed:
        if column not in columns:
            raise UserError(
                f"{table.name}:1: no column {column!r}, found {found}; map it in "
                "tasks.NAME.columns (id, text, text2, label, labels)"
            )
    for column in {*needed, id_column}:
        if columns.count(column) > 1:
            raise UserError(f"{table.name}:1: column {column!r} occurs twice")


def _parse_row(
    row: Row, task: TaskSettings, needed: list[str], labelled: bool
) -> tuple[tuple[str, ...], Label | None] | str:
    if row.problem is not None:
        return row.problem
    lists = row.lists if task.kind.is_multilabel else {}
    for column in needed:
        if column not in row.values and (column in task.text_columns or column not in lists):
            return f"no column {column!r}, expected one"
    texts = tuple(row.values[column].strip() for column in task.text_columns)
    for column, text in zip(task.text_columns, texts, strict=True):
        if not text and labelled:
            return f"empty text in column {column!r}, expected text"
    values = {**row.values, **lists} if lists else row.values
    cells = [values[column].strip() for column in task.label_columns] if labelled else []
    if not any(cells):
        return texts, None
    try:
        if task.columns.labels is not None:
            said = zip(task.columns.labels, cells, strict=True)
            return texts, tuple(float(yes_or_no(column, cell)) for column, cell in said)
        return texts, parse_label(task, cells[0])
    except ValueError as error:
        return str(error) if task.columns.labels else f"column {task.columns.label!r}: {error}"


def _expected(task: TaskSettings) -> str:
    if task.kind.is_multilabel:
        return "1 or 0 in each column of a label"
    if task.kind.is_classification:
        names = task.class_names
        first = ", ".join(itertools.islice(names, 6)) + (", …" if len(names) > 6 else "")
        number = f" or a number from 0 to {len(names) - 1}" if _counts_classes(task) else ""
        return f"one of {first}{number}"
    if task.range is not None:
        return f"a number from {task.range[0]:g} to {task.range[1]:g}"
    return "a number"


def _counts_classes(task: TaskSettings) -> bool:
    """Whether files may hold the numbers of the classes: not where a name is a number itself."""
    return all(math.isnan(label_value(name)) for name in task.class_names)


def _number(text: str) -> float:
    """The number that a text spells, NaN if none; Python's own `1_000` is none."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
