"""Bad rows as people are told of them: what is alike together, and what probably caused it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from mtbert.config.tasks import TaskSettings
from mtbert.errors import SHOWN_PROBLEMS, shown

__all__ = ["counts_from_one", "likely_cause", "told"]

_OF_A_KIND = 3
"""Problems of one kind that are shown; the others are counted."""
_PLACE = re.compile(r"^.*?:\d+: ")
_LABEL = re.compile(r"label ('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"), expected")
_VALUE = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")


def told(problems: Sequence[str]) -> list[str]:
    """Lines for many problems: those that differ only in their values once, with their number.

    Args:
        problems: as `file:line: what, expected what`.
    """
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(_kind(problem), []).append(problem)
    lines: list[str] = []
    for alike in kinds.values():
        if len(lines) >= SHOWN_PROBLEMS:
            break
        few = alike if len(alike) <= _OF_A_KIND + 1 else alike[:_OF_A_KIND]
        lines += few
        if len(alike) > len(few):
            lines.append(f"… and {len(alike) - len(few):,} more rows like these")
    whole = sum(map(len, kinds.values()))
    return lines if len(kinds) == 1 or len(lines) >= whole else [*lines, f"… {whole:,} in all"]


def likely_cause(problems: Sequence[str], rows: int, task: TaskSettings) -> str | None:
    """What is wrong with a file as a whole, where most of its rows are bad in one way.

    Args:
        problems: of a file.
        rows: all of its rows.
        task: that reads it.
    """
    if len(problems) < 2 or 2 * len(problems) < rows:
        return None
    found = {label for problem in problems if (label := _label(problem)) is not None}
    if found:
        return _labels_cause(found, task)
    text = [_PLACE.sub("", problem) for problem in problems]
    if all(re.match(r"found \d+ columns", problem) for problem in text):
        return (
            "the rows have other columns than the first line: is the separator right "
            "(`format: {separator: …}`), or the first line no header (`format: {header: false}`)?"
        )
    if all(problem.startswith("blank label") for problem in text):
        return f"column {task.label_columns[0]!r} is blank in most rows: is it that of the labels?"
    if all(problem.startswith("empty text") for problem in text):
        return "the column of the text is blank in most rows: is it the right one?"
    return None


def counts_from_one(problems: Sequence[str], labels: Set[object], task: TaskSettings) -> bool:
    """Whether files number the classes from 1: then every number means the class before.

    Args:
        problems: of a file.
        labels: that its examples have.
        task: that reads it.
    """
    if not task.kind.is_classification or not problems or not labels:
        return False
    classes = len(task.class_names)
    refused = {_label(problem) for problem in problems} - {None}
    return refused == {str(classes)} and 0 not in labels and str(classes) not in task.class_names


def _labels_cause(found: set[str], task: TaskSettings) -> str | None:
    names = task.class_names
    listed = ", ".join(map(shown, sorted(found)[:6])) + (", …" if len(found) > 6 else "")
    if not names:
        return None if any(map(_is_number, found)) else (
            f"column {task.label_columns[0]!r} holds words ({listed}): is it the label, and "
            f"`{task.kind}` what is to be predicted?"
        )  # fmt: skip
    folded = {name.casefold() for name in names}
    if all(label.casefold() in folded for label in found):
        return f"the file spells the classes in other case: {listed}; write `labels` as it does"
    return f"the file has labels that `labels` does not name: {listed}"


def _kind(problem: str) -> str:
    return _VALUE.sub("…", _PLACE.sub("", problem))


def _label(problem: str) -> str | None:
    """The label that was refused; None: something else was wrong."""
    match = _LABEL.search(problem)
    return None if match is None else match[1][1:-1]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?", text) is not None
