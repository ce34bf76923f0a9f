"""Rows of predictions as arrays."""

import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.inference.answers import parse_answers

TWO = TaskSettings(kind="classification", train="t", labels=["a", "b"])
LABELS = TaskSettings(kind="multilabel_classification", train="t", labels=["a", "b", "c"])
NUMBERS = TaskSettings(kind="regression", train="t")


def row(gold, prediction, **more):
    return {"id": "x", "gold": gold, "prediction": prediction, "score": 0.5, **more}


def test_classes_with_probabilities():
    found = parse_answers(TWO, [row(0, 1, probabilities={"b": 0.75, "a": 0.25})])
    assert (found.ids, list(found.gold), list(found.predicted)) == (["x"], [0], [1])
    np.testing.assert_array_equal(found.probabilities, [[0.25, 0.75]])
    assert list(found.positive) == [0.75]
    assert found.finite


def test_two_classes_by_squared_error_have_the_output_as_score():
    found = parse_answers(TWO, [row(0, 1, score=1.25)])
    assert found.probabilities is None
    assert list(found.positive) == [1.25]


def test_sets_of_labels():
    told = {"a": 0.1, "b": 0.2, "c": 0.9}
    found = parse_answers(LABELS, [row([0, 2], [], probabilities=told)])
    np.testing.assert_array_equal(found.gold, [[1, 0, 1]])
    np.testing.assert_array_equal(found.predicted, [[0, 0, 0]])
    assert found.positive is None


def test_what_is_not_finite_is_nan():
    found = parse_answers(NUMBERS, [row(2.5, None)])
    assert np.isnan(found.predicted).all()
    assert not found.finite


@pytest.mark.parametrize(
    ("task", "bad"),
    [(TWO, row(2, 0)), (TWO, row(0, -1)), (TWO, row(0.5, 0)), (TWO, row("a", 0)),
     (TWO, row(0, 0, probabilities={"a": 1.0})), (LABELS, row([3], [])), (LABELS, row(1, [])),
     (NUMBERS, row([1, 2], 1)), (NUMBERS, {"id": "x", "gold": 1})],
)  # fmt: skip
def test_damaged_rows_are_refused(task, bad):
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_answers(task, [bad])
