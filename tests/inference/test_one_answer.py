import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.inference.one_answer import one_answer

CLASSES = {"kind": "classification", "labels": ["red", "green", "blue"], "train": "a.csv"}
NUMBERS = {"kind": "regression", "train": "a.csv"}
SETS = CLASSES | {"kind": "multilabel_classification"}


def told(fields, gold, predicted):
    task = TaskSettings.model_validate(fields)
    return one_answer(task, np.array(gold, float), np.array(predicted, float))


@pytest.mark.parametrize(
    ("fields", "gold", "predicted", "expected"),
    [
        (CLASSES, [0, 1, 2], [1, 1, 1], "all 3 dev rows get 'green', while they are of 3 classes"),
        (CLASSES, [0, 1, 2], [1, 1, 2], None),
        (CLASSES, [1, 1, 1], [1, 1, 1], None),
        (CLASSES, [1], [1], None),
        (NUMBERS, [0, 5, 10], [4.2, 4.2001, 4.2], "all 3 dev rows get about 4.2"),
        (NUMBERS, [0, 5, 10], [4.2, 4.6, 4.2], None),
        (NUMBERS, [1e-6, 2e-6, 3e-6], [1e-6, 2e-6, 3e-6], None),
        (NUMBERS, [1.7e9, 1.7e9 + 50], [1.7e9 + 9, 1.7e9 + 19], None),
        (NUMBERS, [3, 3, 3], [3, 3, 3], None),
        (SETS, [[1, 0, 0], [0, 1, 1]], [[0, 0, 1], [0, 0, 1]], "all 2 dev rows get 'blue'"),
        (SETS, [[1, 0, 0], [0, 1, 1]], [[0, 0, 0], [0, 0, 0]], "all 2 dev rows get no label"),
        (SETS, [[1, 0, 0], [0, 1, 1]], [[0, 0, 0], [0, 1, 0]], None),
        (SETS, [[1, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]], None),
    ],
)
def test_one_answer_to_rows_that_differ(fields, gold, predicted, expected):
    assert told(fields, gold, predicted) == expected
