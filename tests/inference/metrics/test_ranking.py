"""Ranking scores of samples against those of the rows written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtbert.inference.metrics.ranking import ranking_scores


@given(seed=st.integers(0, 10_000), size=st.integers(2, 30))
def test_counted_rows_score_as_repeated_ones(seed, size):
    source = np.random.default_rng(seed)
    positive, score = source.random(size) < 0.5, np.round(source.random(size), 1)
    counts = source.multinomial(size, np.full(size, 1 / size), size=3).astype(float)
    found = ranking_scores(counts, positive, score)
    for i, sample in enumerate(counts):
        rows = np.repeat(np.arange(size), sample.astype(int))
        if len(set(positive[rows])) < 2:
            assert np.isnan(found["auc"][i])
            continue
        expected = sklearn_metrics.roc_auc_score(positive[rows], score[rows])
        assert found["auc"][i] == pytest.approx(expected)
        expected = sklearn_metrics.average_precision_score(positive[rows], score[rows])
        assert found["average_precision"][i] == pytest.approx(expected)
