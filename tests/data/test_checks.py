"""What is odd about data sets, counted by hand."""

import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.checks import contradictions, empty_classes, only_value, repeats, some

KEYS = np.array([5, 3, 5, 9, 3, 5], np.uint64)


def test_repeats_are_all_but_the_first():
    assert repeats(KEYS).tolist() == [2, 4, 5]
    assert repeats(KEYS[:2]).tolist() == []


def test_contradictions_are_equal_texts_with_other_labels():
    found = contradictions(KEYS, np.array([1.0, 0, 1, 0, 1, 1]))
    assert [sorted(group.tolist()) for group in found] == [[1, 4]]
    several = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [0, 0], [1, 1.0]])
    assert [sorted(group.tolist()) for group in contradictions(KEYS, several)] == [[0, 2, 5]]
    assert contradictions(KEYS, np.full(6, np.nan)) == []


def test_classes_without_an_example_are_named():
    task = TaskSettings(kind="classification", labels=("a", "b", "c"), train="t", dev="d")
    assert empty_classes(task, np.array([0.0, 2, 2])) == ["b"]
    assert empty_classes(task, np.array([np.nan])) == []
    number = TaskSettings(kind="regression", train="t", dev="d")
    assert empty_classes(number, np.array([1.0])) == []


def test_of_many_names_the_first_are_told_and_all_counted():
    assert some(list("abcdef")) == "a, b, c, d, e, f"
    assert some(list("abcdefg")) == "a, b, c, d, e, f, … (7 in all)"


@pytest.mark.parametrize(
    ("labels", "value"), [([7.0, 7], 7), ([7.0, 7.5], None), ([7.0], None), ([np.nan] * 2, None)]
)
def test_the_one_number_of_all_examples(labels, value):
    task = TaskSettings(kind="regression", train="a.csv")
    assert only_value(task, np.array(labels)) == value
    classes = TaskSettings(kind="classification", labels=("a", "b"), train="a.csv")
    assert only_value(classes, np.zeros(3)) is None
