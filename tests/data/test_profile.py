"""The profile of a data set, against counts by hand."""

import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import TokenizedSet
from mtbert.data.profile import Values, profile
from mtbert.data.ragged import Ragged


def examples(lengths, labels, cut=0):
    flat = np.zeros(sum(lengths), np.int32)
    sequences = Ragged(flat, np.cumsum([0, *lengths]))
    return TokenizedSet((sequences,), np.array(lengths), np.array(labels, np.float64), cut)


def task(kind, **fields):
    return TaskSettings(kind=kind, train="t", **fields)


def test_lengths_and_classes():
    found = profile(
        task("classification", labels=["a", "b", "c"]),
        examples([3, 4, 5, 100], [0, 0, 2, 0], cut=1),
    )
    assert (found.tokens.mean, found.tokens.median, found.tokens.longest) == (28, 4.5, 100)
    assert found.tokens.p95 == pytest.approx(5 + 0.85 * 95)
    assert found.cut == 1
    assert found.classes == {"a": 3, "b": 0, "c": 1}
    assert found.values is None


def test_of_several_labels_each_is_counted_and_the_rows_without_any():
    found = profile(
        task("multilabel_classification", labels=["a", "b"]),
        examples([2, 2, 2], [[1, 1], [0, 0], [0, 1]]),
    )
    assert found.classes == {"a": 1, "b": 2}
    assert found.unlabelled == 1


def test_of_a_regression_the_spread_is_told():
    found = profile(task("regression"), examples([2, 2], [1900, 2100]))
    assert found.values == Values(lowest=1900, mean=2000, deviation=100, highest=2100)
    assert found.classes == {}
