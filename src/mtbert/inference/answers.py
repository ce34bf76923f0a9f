"""Rows of predictions, as they stand in a run's files, as arrays. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings

__all__ = ["Answers", "parse_answers"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Labels and answers of one set.

    Attributes:
        ids: of the rows.
        gold: `[rows]`, class numbers or values; `[rows, labels]`, 0 or 1, for several labels.
        predicted: the same of the answers; NaN where one is not finite.
        probabilities: `[rows, classes]`; None where the task's loss gives none.
        positive: `[rows]`, the score of the second of two classes; else None.
    """

    ids: list[str]
    gold: Array
    predicted: Array
    probabilities: Array | None
    positive: Array | None

    @property
    def finite(self) -> bool:
        """Whether every answer is a number."""
        given = (self.predicted, self.probabilities, self.positive)
        return all(bool(np.isfinite(part).all()) for part in given if part is not None)


def parse_answers(task: TaskSettings, rows: Sequence[Mapping[str, Any]]) -> Answers:
    """Rows of a file of predictions as arrays.

    Raises:
        KeyError: a field is missing, or
        TypeError: of another type, or
        ValueError: of another shape or kind.
    """
    names = task.class_names
    probabilities = positive = None
    if names and rows and all("probabilities" in row for row in rows):
        told = [[row["probabilities"][name] for name in names] for row in rows]
        probabilities = _array(told)
    if task.kind.is_classification and len(names) == 2:
        positive = _numbers([row["score"] for row in rows])
        if probabilities is not None:
            positive = probabilities[:, 1]
    gold, predicted = (_labels(task, [row[key] for row in rows]) for key in ("gold", "prediction"))
    return Answers([str(row["id"]) for row in rows], gold, predicted, probabilities, positive)


def _labels(task: TaskSettings, values: Sequence[Any]) -> Array:
    """Class numbers or values `[rows]`; sets of label numbers as `[rows, labels]`, 0 or 1.

    Raises:
        ValueError: one is no class of the task.
    """
    classes = len(task.class_names)
    if task.kind.is_multilabel:
        wide = np.zeros((len(values), classes))
        for row, numbers in zip(wide, values, strict=True):
            row[_known(_numbers(numbers), classes).astype(np.int64)] = 1
        return wide
    found = _numbers(values)
    return _known(found, classes) if classes else found


def _known(numbers: Array, classes: int) -> Array:
    """The same numbers.

    Raises:
        ValueError: one is no class.
    """
    given = numbers[np.isfinite(numbers)]
    if ((given < 0) | (given >= classes) | (given % 1 != 0)).any():
        raise ValueError(f"a class that is not one of {classes}")
    return numbers


def _array(values: Sequence[Any]) -> Array:
    """JSON's null, which stands for what is not finite, becomes NaN."""
    return np.array(values, np.float64)


def _numbers(values: Sequence[Any]) -> Array:
    """The same of plain numbers.

    Raises:
        TypeError: one is a list, or they are no list themselves.
    """
    if not isinstance(values, list) or any(isinstance(value, list | str) for value in values):
        raise TypeError("expected numbers")
    return _array(values)
