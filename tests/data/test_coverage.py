import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.coverage import missing_classes

NAMES = ["red", "green", "blue"]
CLASSES = {"kind": "classification", "labels": NAMES, "train": "a.csv"}


@pytest.mark.parametrize(
    ("labels", "told"),
    [([0, 1, 2, 1], None), ([0, np.nan, 2], "'green'"), ([1.0], "'red', 'blue'"), ([], None)],
)
def test_classes_without_an_example_are_named(labels, told):
    task = TaskSettings.model_validate(CLASSES)
    found = missing_classes(task, np.array(labels, float))
    assert found == (told if labels else "'red', 'green', 'blue'")


def test_of_many_the_first_are_named_and_all_counted():
    task = TaskSettings.model_validate(CLASSES | {"labels": [f"c{i}" for i in range(77)]})
    found = missing_classes(task, np.array([0.0, 1.0]))
    assert found == "'c2', 'c3', 'c4', 'c5', 'c6', … (75 of 77)"


def test_labels_of_which_an_example_may_have_several():
    task = TaskSettings.model_validate(CLASSES | {"kind": "multilabel_classification"})
    assert missing_classes(task, np.array([[1.0, 0, 0], [1, 0, 1]])) == "'green'"
    assert missing_classes(task, np.array([[1.0, 1, 1], [np.nan] * 3])) is None


def test_a_regression_has_no_classes():
    task = TaskSettings.model_validate({"kind": "regression", "train": "a.csv"})
    assert missing_classes(task, np.array([0.5])) is None
