"""Metrics from counts: of many samples at once, and of classes in an order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtbert.inference.metrics.classes import (
    Cells,
    class_scores,
    confusion_cells,
    count_cells,
    order_scores,
)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 6))
def test_samples_have_the_scores_that_each_has_alone(seed, count):
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, count, (2, 30)).astype(float)
    cells = confusion_cells(gold, predicted, count)
    samples = source.multinomial(30, cells.rows / 30, size=4).astype(float)
    found = count_cells(cells, count)
    drawn = Cells(samples, cells.gold, cells.predicted)
    together = class_scores(count_cells(drawn, count), found)
    for i, rows in enumerate(samples):
        alone = class_scores(count_cells(Cells(rows, cells.gold, cells.predicted), count), found)
        for name, values in together.items():
            np.testing.assert_allclose(values[i], alone[name])


@given(seed=st.integers(0, 10_000), count=st.integers(2, 6), size=st.integers(1, 50))
def test_classes_in_an_order_equal_scikit_learn(seed, count, size):
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, count, (2, size)).astype(float)
    cells = confusion_cells(gold, predicted, count)
    found = order_scores(cells, count_cells(cells, count))
    expected = sklearn_metrics.mean_absolute_error(gold, predicted)
    assert found["mae"] == pytest.approx(expected)
    if len({*gold, *predicted}) == 1:
        assert np.isnan(found["qwk"])
        return
    expected = sklearn_metrics.cohen_kappa_score(
        gold, predicted, labels=list(range(count)), weights="quadratic"
    )
    assert found["qwk"] == pytest.approx(expected, abs=1e-9)


def test_a_class_that_a_sample_lacks_by_chance_does_not_lower_its_average():
    gold = predicted = np.array([0.0, 1.0, 2.0])
    cells = confusion_cells(gold, predicted, 4)  # class 3 never occurs
    found = count_cells(cells, 4)
    lacking = Cells(np.array([[1.0, 2.0, 0.0]]), cells.gold, cells.predicted)
    scores = class_scores(count_cells(lacking, 4), found)
    assert scores["f1"] == pytest.approx([3 / 4 * 0.0 + (1 + 1 + 0) / 3])
    assert class_scores(found, found)["f1"] == pytest.approx(3 / 4)
    assert scores["balanced_accuracy"] == pytest.approx([1.0])
