import numpy as np
import pytest
from scipy import special, stats

from mtbert.methods.base import Progress
from mtbert.methods.weighting.random import Random

TASKS = ["a", "b", "c"]


def drawn(seed, tasks=TASKS):
    weighting = Random()
    return weighting.weights(weighting.start(tasks), Progress(0, 1, 0, 1, seed))


def test_weights_are_a_function_of_the_seed_and_sum_to_the_number_of_tasks():
    assert drawn(7) == drawn(7) != drawn(8)
    assert sum(drawn(7).values()) == pytest.approx(3)
    assert drawn(7, ["a"]) == {"a": 1.0}


def test_they_are_distributed_as_the_softmax_of_normal_numbers():
    found = np.array([list(drawn(seed).values()) for seed in range(3000)])
    reference = 3 * special.softmax(np.random.default_rng(1).standard_normal((3000, 3)), axis=1)
    for column in range(3):
        assert stats.ks_2samp(found[:, column], reference[:, column]).pvalue > 1e-3
    assert np.abs(found.mean(0) - 1).max() < 0.05
