"""Answers as text: JSON lines, a JSON array, CSV, TSV, or lines for a terminal.

JSON lines of one task are `{"id", "prediction", "label", "score", "probabilities"}`; of several
`{"id", TASK: {"prediction", …}, …}`. CSV has the columns id and, of each task, TASK (the name of
the class, the names of the labels joined by `;`, or the value), TASK_score (not of a regression)
and TASK_probability_CLASS. Labels of which a name holds a `;` are a JSON list. CSV is UTF-8
without a byte order mark, its lines end with a line feed.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from mtbert.data.inputs import Question
from mtbert.errors import UserError, printable, shown
from mtbert.inference.answering import Answers
from mtbert.io.atomic import finite
from mtbert.objectives.base import Prediction

__all__ = ["AnswerWriter", "JsonRows", "answer_writer", "check_answer_file", "readable_writer"]

_UNWRITTEN = (".parquet", ".xlsx", ".xls", ".gz", ".zip", ".feather")


class AnswerWriter(Protocol):
    """Writes rows with their answers."""

    def write(self, question: Question, answers: Answers) -> None:
        """One row."""

    def close(self) -> None:
        """What is written at the end, if no row came."""


def check_answer_file(path: Path) -> None:
    """Refuse early a name whose format is not written.

    Raises:
        UserError: names those that are.
    """
    if path.suffix.lower() in _UNWRITTEN:
        raise UserError(
            f"--output {path}: {path.suffix} is not written; expected .jsonl, .csv or .tsv"
        )


def answer_writer(stream: TextIO, path: Path | None, tasks: Sequence[str]) -> AnswerWriter:
    """By the name of the file: CSV, TSV, a JSON array, or else JSON lines.

    Args:
        stream: to write to.
        path: its name; None: standard output.
        tasks: that were asked for; one alone is not nested in JSON lines.
    """
    suffix = "" if path is None else path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _Separated(stream, "," if suffix == ".csv" else "\t", tasks)
    return _Json(stream, JsonRows(path), tasks)


def readable_writer(stream: TextIO) -> AnswerWriter:
    """For people: each text, and below it a line for each task."""
    return _Readable(stream)


class JsonRows:
    """Rows as JSON: each a line; in a file called .json, they are the lines of one array."""

    def __init__(self, path: Path | None) -> None:
        self._array = path is not None and path.suffix.lower() == ".json"
        self._begun = False

    def line(self, row: Mapping[str, Any]) -> str:
        """The text of the next row."""
        text = json.dumps(finite(row), ensure_ascii=False, allow_nan=False)
        if not self._array:
            return text + "\n"
        before, self._begun = ",\n" if self._begun else "[\n", True
        return before + text

    def end(self) -> str:
        """What follows the last row."""
        if not self._array:
            return ""
        return "\n]\n" if self._begun else "[]\n"


class _Json:
    def __init__(self, stream: TextIO, rows: JsonRows, tasks: Sequence[str]) -> None:
        self._stream, self._rows, self._nested = stream, rows, len(tasks) != 1
        self._id = _id_name(tasks) if self._nested else "id"

    def write(self, question: Question, answers: Answers) -> None:
        fields = {name: answer.as_json() for name, answer in answers.items()}
        if not self._nested:
            (fields,) = fields.values()
        row = {self._id: question.id, **fields}
        self._stream.write(self._rows.line(row))

    def close(self) -> None:
        self._stream.write(self._rows.end())


class _Separated:
    def __init__(self, stream: TextIO, delimiter: str, tasks: Sequence[str]) -> None:
        self._rows = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self._tasks = tasks
        self._begun = False

    def write(self, question: Question, answers: Answers) -> None:
        cells: list[tuple[str, object]] = [(_id_name(self._tasks), question.id)]
        for name, answer in answers.items():
            cells += _cells(name, answer)
        if not self._begun:
            columns = Counter(column for column, _ in cells)
            if twice := [column for column, count in columns.items() if count > 1]:
                raise UserError(
                    f"two answers would stand in the column {shown(twice[0])}; write .jsonl, or "
                    "one task at a time with --task"
                )
            self._rows.writerow(columns)
            self._begun = True
        self._rows.writerow([value for _, value in cells])

    def close(self) -> None:
        if not self._begun:
            self._rows.writerow([_id_name(self._tasks), *self._tasks])


def _id_name(tasks: Sequence[str]) -> str:
    """What the id of a row is called beside the tasks."""
    return "row_id" if "id" in tasks else "id"


def _cells(task: str, answer: Prediction) -> list[tuple[str, object]]:
    """The columns and cells of one answer, the same columns for each row."""
    if answer.labels is not None:
        cells: list[tuple[str, object]] = [(task, _joined(answer))]
    else:
        cells = [(task, answer.value if answer.label is None else answer.label)]
    if answer.label is not None or answer.labels is not None:
        cells.append((f"{task}_score", answer.score))
    chances = answer.probabilities or {}
    return cells + [(f"{task}_probability_{name}", chance) for name, chance in chances.items()]


def _joined(answer: Prediction) -> str:
    """The labels in one cell, as the readers of label lists take them."""
    labels = answer.labels or ()
    if any(";" in name for name in answer.probabilities or labels):
        return json.dumps(labels, ensure_ascii=False)
    return ";".join(labels)


class _Readable:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, question: Question, answers: Answers) -> None:
        texts = next(iter(question.texts.values()))
        width = max(map(len, answers))
        lines = [" / ".join(texts), *(f"  {n:{width}}  {_said(a)}" for n, a in answers.items())]
        self._stream.write(printable("\n".join(lines)) + "\n")

    def close(self) -> None:
        pass


def _said(answer: Prediction) -> str:
    if answer.labels is not None:
        chances = answer.probabilities or {}
        return ", ".join(f"{n} ({chances[n]:.2f})" for n in answer.labels) or "none"
    if answer.label is not None:
        return f"{answer.label} ({answer.score:.2f})"
    return f"{answer.score:.4g}"
