"""The examples that a model gets most wrong, with their texts. No torch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import LeftOut, iterate_examples
from mtbert.data.sources import Source
from mtbert.errors import UserError
from mtbert.inference.answers import Answers

__all__ = ["find_texts", "row_errors", "worst_rows"]

Array = NDArray[np.float64]

MOST = 20
"""Examples that are shown of a set."""

LONGEST = 300
"""Characters of a text that are shown."""

_SMALLEST = 1e-15
"""Probabilities below it count as this much: their logarithm stays finite."""


def row_errors(answers: Answers) -> Array:
    """How wrong each answer is, `[rows]`.

    The cross-entropy where there are probabilities (of several labels its mean over them), else the
    distance of the label and the answer.
    """
    gold, told = answers.gold, answers.probabilities
    if told is None:
        given = answers.predicted if answers.positive is None else answers.positive
        distance: Array = np.abs(given - gold)
        return distance
    if gold.ndim == 1:
        of_gold = told[np.arange(len(gold)), gold.astype(np.int64)]
    else:
        of_gold = np.where(gold == 1, told, 1 - told)
    losses = -np.log(np.clip(of_gold, _SMALLEST, None))
    return losses if losses.ndim == 1 else losses.mean(axis=1)


def worst_rows(answers: Answers, errors: Array, most: int = MOST) -> list[int]:
    """The rows that are most wrong, the worst first; of classes only those that are wrong."""
    wrong = answers.gold != answers.predicted
    if wrong.ndim > 1:
        wrong = wrong.any(axis=1)
    order = np.argsort(-errors, kind="stable")
    return [int(row) for row in order if wrong[row]][:most]


def find_texts(
    path: Source, task: TaskSettings, ids: Collection[str], *, blank_is_unlabelled: bool = False
) -> dict[str, tuple[str, ...]]:
    """The texts of some rows of a file, by id, shortened.

    Texts are not kept in memory during a run, so the file is read again. Nothing is found in a file
    that is no longer there or cannot be read.

    Args:
        path: of the file, or of several.
        task: says how it is read.
        ids: of the rows.
        blank_is_unlabelled: whether a blank label means that the row is not the task's.
    """
    wanted, found = set(ids), {}
    lenient = task.model_copy(update={"on_bad_rows": "skip"})
    rows = iterate_examples(path, lenient, LeftOut(), blank_is_unlabelled=blank_is_unlabelled)
    try:
        for example in rows:
            if example.id in wanted:
                found[example.id] = tuple(map(_shortened, example.texts))
                if len(found) == len(wanted):
                    break
    except (UserError, OSError):
        return found
    return found


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
