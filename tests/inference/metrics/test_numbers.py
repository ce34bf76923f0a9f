"""Scores of samples of rows against those of the rows written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.inference.metrics.numbers import number_scores, weighted_number_scores


@given(
    seed=st.integers(0, 10_000),
    size=st.integers(2, 30),
    digits=st.sampled_from([0, 1, 8]),
    shift=st.sampled_from([0, 2000]),
)
def test_counted_rows_score_as_repeated_ones(seed, size, digits, shift):
    source = np.random.default_rng(seed)
    gold, predicted = np.round(source.normal(shift, 1, (2, size)), digits)  # with ties
    counts = source.multinomial(size, np.full(size, 1 / size), size=3).astype(float)
    found = weighted_number_scores(counts, gold, predicted)
    for i, sample in enumerate(counts):
        rows = np.repeat(np.arange(size), sample.astype(int))
        expected = number_scores(gold[rows], predicted[rows])
        for name, value in expected.items():
            assert found[name][i] == pytest.approx(value, nan_ok=True, abs=1e-7), name
