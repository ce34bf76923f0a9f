"""Metrics of sets of labels against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtbert.inference.metrics.labels import count_labels, label_scores


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), labels=st.integers(1, 6))
def test_scores_equal_those_of_scikit_learn(seed, rows, labels):
    source = np.random.default_rng(seed)
    gold, predicted = (source.random((2, rows, labels)) < 0.3).astype(float)
    counts = count_labels(gold, predicted)
    exact = (gold == predicted).all(axis=1).mean()
    found = label_scores(counts, counts, exact)
    # scikit-learn takes one column of labels for two classes
    wide = [np.hstack([part, np.zeros_like(part[:, :1])]) for part in (gold, predicted)]
    if gold.any() or predicted.any():
        expected = sklearn_metrics.f1_score(*wide, average="micro", zero_division=0.0)
        assert found["micro_f1"] == pytest.approx(expected)
    else:
        assert np.isnan(found["micro_f1"])
    expected = sklearn_metrics.f1_score(*wide, average=None, zero_division=0.0)[:labels]
    assert found["macro_f1"] == pytest.approx(expected.mean())
    assert found["subset_accuracy"] == sklearn_metrics.accuracy_score(*wide)


def test_rows_count_as_often_as_a_sample_has_them():
    gold, predicted = np.eye(3), np.array([[1.0, 0, 0], [1, 1, 0], [0, 0, 0]])
    counts = np.array([[1.0, 1, 1], [3, 0, 0]])
    drawn = count_labels(gold, predicted, counts)
    twice = count_labels(np.repeat(gold[:1], 3, 0), np.repeat(predicted[:1], 3, 0))
    np.testing.assert_array_equal(drawn.right[1], twice.right)
    np.testing.assert_array_equal(drawn.gold, [[1, 1, 1], [3, 0, 0]])
    np.testing.assert_array_equal(drawn.predicted, [[2, 1, 0], [3, 0, 0]])
