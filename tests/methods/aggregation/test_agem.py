import numpy as np
import pytest

from mtbert.methods.aggregation.agem import AGEM


def direction(gradients, tasks=1):
    names = [f"t{i}" for i in range(tasks)]
    weights, state = AGEM().weights(gradients @ gradients.T, names, AGEM().start(names), None)
    assert state == {}
    return np.array(weights) @ gradients


def test_it_is_the_projection_from_the_mean_of_the_constraints():
    source, changed = np.random.default_rng(1), 0
    for _ in range(200):
        rows = source.integers(1, 6)
        gradients = source.normal(size=(rows + 1, 7)) * 10.0 ** source.uniform(-3, 3)
        g, mean = gradients[0], gradients[1:].mean(0)
        expected = g - min(g @ mean, 0) / (mean @ mean) * mean
        found = direction(gradients)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * np.abs(g).max())
        assert found @ mean >= -1e-9 * np.linalg.norm(g) * np.linalg.norm(mean)
        changed += g @ mean < 0
    assert 50 < changed < 150


def test_of_several_followed_gradients_the_sum_is_projected():
    gradients = np.random.default_rng(2).normal(size=(4, 6))
    together = np.vstack([gradients[:2].sum(0), gradients[2:]])
    np.testing.assert_allclose(direction(gradients, tasks=2), direction(together), atol=1e-12)


@pytest.mark.parametrize(
    "gradients",
    [[[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [-1.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]]],
)
def test_constraints_of_no_length_change_nothing(gradients):
    gradients = np.array(gradients)
    np.testing.assert_array_equal(direction(gradients), gradients[0])


def test_without_constraints_it_is_the_sum():
    gradients = np.random.default_rng(3).normal(size=(3, 5))
    np.testing.assert_array_equal(direction(gradients, tasks=3), gradients.sum(0))
