"""Rows → examples of one task: columns looked up, labels parsed, bad rows reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtbert.config.columns import columns_in, text_at
from mtbert.config.tasks import TaskSettings
from mtbert.data.bad_rows import counts_from_one, likely_cause, told
from mtbert.data.class_names import rows_by_name
from mtbert.data.label_lists import yes_or_no
from mtbert.data.label_values import Label, expected_label, parse_label
from mtbert.data.missing_columns import check_header, lacking_column
from mtbert.data.readers.base import Row, Table
from mtbert.data.readers.table import open_table, read_table
from mtbert.data.sources import Source, paths_of
from mtbert.errors import UserError, shown

__all__ = [
    "Example",
    "ExampleSet",
    "LeftOut",
    "iterate_examples",
    "label_texts",
    "parse_rows",
    "read_examples",
]


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
    """The examples of one file, or of several, and what was left out of it."""

    path: Source
    examples: list[Example]
    left_out: LeftOut


def read_examples(
    path: Source, task: TaskSettings, *, labelled: bool = True, blank_is_unlabelled: bool = False
) -> ExampleSet:
    """All examples of a file.

    Args:
        path: the file, or several.
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
    path: Source,
    task: TaskSettings,
    left_out: LeftOut,
    *,
    labelled: bool = True,
    blank_is_unlabelled: bool = False,
) -> Iterator[Example]:
    """The same one by one; `left_out` is filled on the way, and errors come at the end.

    Rows and lines are counted on from file to file, so that each example has a number of its own.
    An id that a file before has too gets the name of its own file in front.
    """
    problems = left_out.problems
    how = {"labelled": labelled, "blank_is_unlabelled": blank_is_unlabelled}
    taken: set[str] = set()
    unused: dict[str, None] = {}
    classes: set[Label | None] = set()
    rows = lines = 0
    for file in paths_of(path):
        with open_table(file) as stream:
            table = read_table(stream, str(file), task.format)
            counted = _Counted(rows_by_name(table, task))
            ids = []
            for example in _of_file(
                replace(table, rows=iter(counted)), task, left_out, first=rows + 1, **how
            ):
                own = _own_id(example.id, file, taken)
                ids.append(own)
                if task.kind.is_classification:
                    classes.add(example.label)
                yield replace(example, id=own, line=lines + example.line)
        rows, lines = rows + counted.rows, lines + counted.line
        taken.update(ids)
        used = {*task.text_columns, *task.label_columns, task.columns.id_column}
        unused |= dict.fromkeys(c for c in table.columns or () if c and c not in used)
    if counts_from_one(problems, classes, task):
        raise UserError(
            f"{path}: labels from 1 to {len(task.class_names)}, expected the classes' names or "
            "numbers from 0; write the numbers as names: `labels: "
            f"[{', '.join(str(i + 1) for i in range(len(task.class_names)))}]`"
        )
    if problems and task.on_bad_rows == "error":
        advice = "fix the rows, or leave them out with on_bad_rows: skip"
        raise UserError(f"{_listed(str(path), problems, rows, task)}\n{advice}")
    if not taken:
        none = f"{path}: no usable row, expected at least one"
        raise UserError(_listed(none, problems, rows, task) if problems else none)
    left_out.unused_columns = tuple(unused)


def _listed(title: str, problems: Sequence[str], rows: int, task: TaskSettings) -> str:
    """One message for the bad rows of a file, with what may have caused them."""
    cause = likely_cause(problems, rows, task)
    if len(problems) == 1:
        return f"{title}: {problems[0]}"
    lines = [f"{title}: {len(problems)} problems", *(f"  {line}" for line in told(problems))]
    return "\n".join([*lines, *([f"likely cause: {cause}"] if cause else [])])


class _Counted:
    """Rows that are counted on the way: how many there are, and the number of the last line."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.rows = self.line = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.rows, self.line = self.rows + 1, row.line
            yield row


def _own_id(found: str, file: Path, taken: set[str]) -> str:
    """An id that no file before has."""
    return next(
        (name for name in (found, f"{file.name}:{found}") if name not in taken), f"{file}:{found}"
    )


def _of_file(
    table: Table,
    task: TaskSettings,
    left_out: LeftOut,
    *,
    first: int,
    labelled: bool,
    blank_is_unlabelled: bool,
) -> Iterator[Example]:
    """The examples of one file, whose first row has this number among those of all files."""
    problems = left_out.problems
    seen: dict[str, int] = {}
    for result in parse_rows(table, task, labelled=labelled, first=first):
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
                    f"{table.place(result.line)}: blank label, expected {expected_label(task)}"
                )
        elif result.id in seen:
            problems.append(
                f"{table.place(result.line)}: id {shown(result.id)} is also in "
                f"{table.unit} {seen[result.id]}, expected unique ids{_not_an_id(task)}"
            )
        else:
            seen[result.id] = result.line
            yield result


def parse_rows(
    table: Table, task: TaskSettings, *, labelled: bool, first: int = 1
) -> Iterator[Example | str]:
    """Each row as an example (label None where blank) or as the message of what is wrong.

    Args:
        table: open.
        task: says what is read from its columns.
        labelled: whether labels are looked at.
        first: number of the first row, which it is known by if it has no id.

    Raises:
        UserError: a column is missing from the header.
    """
    id_column = task.columns.id_column
    needed = [*task.text_columns, *(task.label_columns if labelled else [])]
    if task.columns.id:
        needed.append(task.columns.id)
    if table.columns is not None:
        check_header(table, needed, id_column)
    numbered = table.columns is None or id_column not in table.columns
    for number, row in enumerate(table.rows, start=first):
        result = _parse_row(row, task, needed, labelled)
        own = row.values.get(id_column) if id_column else None
        numbered &= own is None
        if isinstance(result, str):
            yield f"{table.place(row.line)}: {result}"
        else:
            texts, label = result
            # Beside ids of the file's own a mere number could be one of them.
            yield Example(
                own or (str(number) if numbered else f"line {row.line}"), texts, label, row.line
            )


def label_texts(table: Table, task: TaskSettings, problems: list[str]) -> Iterator[str]:
    """The labels of rows whose texts can be used, as they stand there; blank ones are left out.

    Args:
        table: open.
        task: whose labels they are.
        problems: filled on the way with what is wrong with other rows.

    Raises:
        UserError: a column is missing from the header.
    """
    needed = [*task.text_columns, task.columns.label]
    if table.columns is not None:
        check_header(table, needed, task.columns.label)
    for row in table.rows:
        values = {**row.values, **row.lists} if task.kind.is_multilabel else row.values
        missing = next((c for c in needed if c not in values), None)
        if row.problem is None and missing is None:
            texts = [text_at(place, values) for place in task.text_places]
            label = values[task.columns.label].strip()
            if label and all(texts):
                yield label
                continue
        if row.problem is not None or missing is not None:
            what = row.problem if row.problem is not None else lacking_column(row, str(missing))
            problems.append(f"{table.place(row.line)}: {what}")


def _with_blank_as_none(example: Example, task: TaskSettings) -> Example:
    """A blank list of labels in a file of one task is an empty one; other blanks say nothing."""
    if not task.kind.is_multilabel or task.columns.labels is not None:
        return example
    return replace(example, label=(0.0,) * len(task.class_names))


def _not_an_id(task: TaskSettings) -> str:
    """What to do where a column was taken for the ids of rows because of its name."""
    if task.columns.id is not None:
        return ""
    return " (if the column 'id' names something else, set `columns: {id: false}`)"


def _parse_row(
    row: Row, task: TaskSettings, needed: list[str], labelled: bool
) -> tuple[tuple[str, ...], Label | None] | str:
    if row.problem is not None:
        return row.problem
    lists = row.lists if task.kind.is_multilabel else {}
    for column in needed:
        if column not in row.values and (column in task.text_columns or column not in lists):
            return lacking_column(row, column)
    texts = tuple(text_at(place, row.values) for place in task.text_places)
    for place, text in zip(task.text_places, texts, strict=True):
        if not text and labelled:
            names = " and ".join(map(repr, columns_in(place)))
            several = "" if isinstance(place, str) else "s"
            return f"empty text in column{several} {names}, expected text"
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
