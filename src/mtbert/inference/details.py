"""What can be said of a set of labelled rows and a model's answers to them. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mtbert.config.tasks import TaskSettings
from mtbert.inference.answers import Answers, parse_answers
from mtbert.inference.metrics import score, scores_by_class, undefined
from mtbert.inference.metrics.calibration import calibration
from mtbert.inference.metrics.intervals import Ends, intervals
from mtbert.inference.metrics.thresholds import best_thresholds
from mtbert.inference.mistakes import row_errors, worst_rows

__all__ = [
    "Calibration",
    "ClassDetails",
    "Confused",
    "Mistake",
    "Score",
    "SetDetails",
    "Threshold",
    "describe_answers",
]

Array = NDArray[np.float64]

_LARGEST_MATRIX = 30
"""Classes of a confusion matrix that is kept whole; of more the most frequent mistakes are."""
_MOST_CONFUSED = 30
_MOST_POINTS = 400
"""Pairs of label and answer of a regression that are kept for a figure."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Score(_Part):
    """A metric; its value is None where it is undefined.

    Attributes:
        value: on the rows as they are.
        low: lower end of its 95 % interval, None where nothing is known.
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


class ClassDetails(_Part):
    """Scores of a class or label, its rows, and how often it was the answer."""

    name: str
    rows: int
    predicted: int
    precision: Score
    recall: Score
    f1: Score


class Confused(_Part):
    """How many rows of one class were taken for another."""

    gold: str
    predicted: str
    rows: int


class Threshold(_Part):
    """The best threshold of a label for a metric; see `metrics.thresholds`."""

    label: str
    metric: str
    threshold: float
    value: float
    at_half: float


class CalibrationBin(_Part):
    """See `metrics.calibration`."""

    rows: int
    confidence: float
    accuracy: float


class Calibration(_Part):
    """Expected calibration error and its bins."""

    error: float
    bins: list[CalibrationBin]


class Mistake(_Part):
    """An example that the model gets wrong.

    Attributes:
        id: of the row.
        gold: its label: a class, a value, or labels.
        predicted: the answer, likewise.
        confidence: the probability of the answer; None where there is none.
        error: cross-entropy, or the distance of label and answer.
        texts: shortened; None where the file could not be read.
    """

    id: str
    gold: str | float | list[str]
    predicted: str | float | list[str] | None
    confidence: float | None
    error: float
    texts: list[str] | None = None


class SetDetails(_Part):
    """All about one set.

    Attributes:
        task: its name.
        rows: of the set.
        metrics: by name, the main one first.
        undefined: why metrics are undefined, or None.
        classes: of a task of classes or labels.
        confusion: rows by true and predicted class; None for other tasks and many classes.
        confused: the most frequent mistakes.
        thresholds: of two classes, and of several labels.
        calibration: where there are probabilities of exclusive classes.
        constant: the answer that all rows have; None where they differ.
        points: (label, answer) of some rows of a regression.
        mistakes: the worst first.
    """

    task: str
    rows: int
    metrics: Annotated[dict[str, Score], Field(min_length=1)]
    undefined: str | None = None
    classes: list[ClassDetails] = []
    confusion: list[list[int]] | None = None
    confused: list[Confused] = []
    thresholds: list[Threshold] = []
    calibration: Calibration | None = None
    constant: str | float | list[str] | None = None
    points: list[tuple[float, float]] = []
    mistakes: list[Mistake] = []


def describe_answers(
    name: str, task: TaskSettings, rows: Sequence[Mapping[str, Any]]
) -> SetDetails:
    """Everything that follows from labels and answers.

    Args:
        name: of the task.
        task: gives the kind and the classes.
        rows: of a file of predictions.

    Raises:
        KeyError: a row lacks a field, or
        TypeError: has one of another type, or
        ValueError: of another shape.
    """
    answers = parse_answers(task, rows)
    reason = undefined(task, answers.gold, answers.predicted.reshape(len(rows), -1))
    if not answers.finite or not rows:
        unknown = dict.fromkeys(task.metrics, Score(value=None))
        return SetDetails(task=name, rows=len(rows), metrics=unknown, undefined=reason)
    gold, predicted = answers.gold, answers.predicted
    values = score(task, gold, predicted, answers.positive)
    ends, class_ends = intervals(task, gold, predicted, answers.positive)
    return SetDetails(
        task=name,
        rows=len(rows),
        metrics={metric: _score(value, ends[metric]) for metric, value in values.items()},
        undefined=reason,
        classes=_classes(task, answers, class_ends),
        **_confusion(task, answers),
        thresholds=_thresholds(task, answers),
        calibration=_calibration(answers),
        constant=_constant(task, predicted),
        points=_points(task, answers),
        mistakes=_mistakes(task, answers),
    )


def _score(value: float, ends: Ends) -> Score:
    if math.isnan(value):
        return Score(value=None)
    low, high = ends or (None, None)
    return Score(value=value, low=low, high=high)


def _classes(
    task: TaskSettings, answers: Answers, ends: Mapping[str, Sequence[Ends]]
) -> list[ClassDetails]:
    values = scores_by_class(task, answers.gold, answers.predicted)
    rows = []
    for number, name in enumerate(task.class_names):
        if task.kind.is_multilabel:
            counts = [int(part[:, number].sum()) for part in (answers.gold, answers.predicted)]
        else:
            counts = [int((part == number).sum()) for part in (answers.gold, answers.predicted)]
        scores = {
            metric: _score(by_name[name], ends[metric][number])
            for metric, by_name in values.items()
        }
        rows.append(ClassDetails(name=name, rows=counts[0], predicted=counts[1], **scores))
    return rows


def _confusion(task: TaskSettings, answers: Answers) -> dict[str, Any]:
    if not task.kind.is_classification:
        return {}
    names = task.class_names
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, (answers.gold.astype(np.int64), answers.predicted.astype(np.int64)), 1)
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSED]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    return {
        "confusion": matrix.tolist() if len(names) <= _LARGEST_MATRIX else None,
        "confused": [
            Confused(gold=names[i], predicted=names[j], rows=int(wrong[i, j]))
            for i, j in pairs
            if wrong[i, j]
        ],
    }


def _thresholds(task: TaskSettings, answers: Answers) -> list[Threshold]:
    names = task.class_names
    if answers.positive is not None:
        scores = {names[1]: (answers.gold == 1, answers.positive)}
    elif task.kind.is_multilabel and answers.probabilities is not None:
        columns = zip(answers.gold.T == 1, answers.probabilities.T, strict=True)
        scores = dict(zip(names, columns, strict=True))
    else:
        return []
    return [
        Threshold(label=name, **asdict(found))
        for name, (positive, told) in scores.items()
        for found in best_thresholds(positive, told)
    ]


def _calibration(answers: Answers) -> Calibration | None:
    told = answers.probabilities
    if told is None or answers.gold.ndim > 1:
        return None
    confidence = told[np.arange(len(told)), answers.predicted.astype(np.int64)]
    error, bins = calibration(confidence, answers.gold == answers.predicted)
    return Calibration(error=error, bins=[CalibrationBin(**asdict(b)) for b in bins])


def _constant(task: TaskSettings, predicted: Array) -> Any:
    if len(predicted) < 2 or (predicted != predicted[0]).any():
        return None
    return _shown(task, predicted[0])


def _points(task: TaskSettings, answers: Answers) -> list[tuple[float, float]]:
    """Evenly spaced rows."""
    if not task.kind.is_regression:
        return []
    rows = len(answers.gold)
    places = np.unique(np.linspace(0, rows - 1, min(rows, _MOST_POINTS)).astype(np.int64))
    return [(float(answers.gold[i]), float(answers.predicted[i])) for i in places]


def _mistakes(task: TaskSettings, answers: Answers) -> list[Mistake]:
    errors = row_errors(answers)
    found = []
    for row in worst_rows(answers, errors):
        confidence = None
        if answers.probabilities is not None and answers.gold.ndim == 1:
            confidence = float(answers.probabilities[row, int(answers.predicted[row])])
        found.append(
            Mistake(
                id=answers.ids[row],
                gold=_shown(task, answers.gold[row]),
                predicted=_shown(task, answers.predicted[row]),
                confidence=confidence,
                error=float(errors[row]),
            )
        )
    return found


def _shown(task: TaskSettings, value: Any) -> Any:
    """A label in words: the name of a class, a value, or names of labels."""
    names = task.class_names
    if task.kind.is_multilabel:
        return [name for name, given in zip(names, value, strict=True) if given]
    return names[int(value)] if names else float(value)
