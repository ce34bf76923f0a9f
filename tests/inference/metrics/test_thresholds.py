"""Best thresholds against trying every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtbert.inference.metrics.thresholds import best_thresholds

SCORES = {
    "f1": lambda gold, given: sklearn_metrics.f1_score(gold, given, zero_division=0.0),
    "mcc": sklearn_metrics.matthews_corrcoef,
}


@given(seed=st.integers(0, 10_000), size=st.integers(2, 30), digits=st.sampled_from([1, 9]))
def test_no_threshold_is_better_and_the_told_one_gives_the_told_value(seed, size, digits):
    source = np.random.default_rng(seed)
    positive, score = source.random(size) < 0.4, np.round(source.random(size), digits)
    found = best_thresholds(positive, score)
    if positive.all() or not positive.any():
        assert found == []
        return
    assert [best.metric for best in found] == ["f1", "mcc"]
    for best in found:
        of = SCORES[best.metric]
        assert best.value == pytest.approx(of(positive, score > best.threshold))
        assert best.at_half == pytest.approx(of(positive, score > 0.5))
        tried = [-1.0, *score]
        assert best.value == pytest.approx(max(of(positive, score > t) for t in tried))


def test_where_a_half_is_as_good_as_any_it_is_taken():
    found = best_thresholds(np.array([True, True, False]), np.array([0.9, 0.8, 0.1]))
    assert [(best.threshold, best.value) for best in found] == [(0.5, 1.0), (0.5, 1.0)]


def test_neighbouring_numbers_are_parted():
    low = 0.7
    score = np.array([np.nextafter(low, 1), low])
    for best in best_thresholds(np.array([True, False]), score):
        np.testing.assert_array_equal(score > best.threshold, [True, False])
