"""GEM beside the quadratic programs of the paper, solved by quadprog and by scipy."""

import numpy as np
import pytest
import quadprog
from scipy.optimize import minimize

from mtbert.methods.aggregation.gem import GEM


def direction(gradients, tasks=1, **options):
    """The direction of gradients, of which the first are followed and the others constrain."""
    gem = GEM(**options)
    names = [f"t{i}" for i in range(tasks)]
    weights, state = gem.weights(gradients @ gradients.T, names, gem.start(names), None)
    assert state == {}
    assert len(weights) == len(gradients)
    return np.array(weights) @ gradients


def cases(count=200):
    source = np.random.default_rng(1)
    for _ in range(count):
        constraints, size = source.integers(1, 6), source.integers(6, 12)
        scales = 10.0 ** source.uniform(-3, 3, size=(constraints + 1, 1))
        yield source.normal(size=(constraints + 1, size)) * scales


def test_it_is_the_nearest_vector_that_conflicts_with_no_constraint():
    """The primal, by quadprog: min |x - g|^2 with m_k . x >= 0."""
    changed = 0
    for gradients in cases():
        g, memories = gradients[0], gradients[1:]
        length = np.linalg.norm(g)
        units = memories / np.linalg.norm(memories, axis=1, keepdims=True)
        expected = quadprog.solve_qp(np.eye(len(g)), g / length, units.T, np.zeros(len(memories)))[
            0
        ]
        found = direction(gradients) / length
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        assert (units @ found).min() > -1e-9
        changed += not np.allclose(found, g / length)
    assert changed > 50


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_the_factors_are_those_of_the_dual(margin):
    """The dual with the authors' margin, by scipy: min |g + sum v m|^2 / 2 for v >= margin."""
    source = np.random.default_rng(2)
    for _ in range(40):
        gradients = source.normal(size=(4, 8))
        g, memories = gradients[0], gradients[1:]
        if (memories @ g >= 0).all():
            assert np.array_equal(direction(gradients, margin=margin), g)
            continue
        reference = minimize(
            lambda v, g=g, m=memories: 0.5 * np.sum((g + v @ m) ** 2),
            np.full(3, margin + 0.1),
            jac=lambda v, g=g, m=memories: m @ (g + v @ m),
            bounds=[(margin, None)] * 3, method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-10},
        )  # fmt: skip
        expected = g + reference.x @ memories
        np.testing.assert_allclose(direction(gradients, margin=margin), expected, atol=1e-6)


def test_several_followed_gradients_are_projected_as_their_sum():
    gradients = np.random.default_rng(3).normal(size=(5, 8))
    together = np.vstack([gradients[:2].sum(0), gradients[2:]])
    np.testing.assert_allclose(direction(gradients, tasks=2), direction(together), atol=1e-12)


def test_without_a_conflict_and_without_constraints_it_is_the_sum():
    gradients = np.abs(np.random.default_rng(4).normal(size=(3, 5)))
    np.testing.assert_array_equal(direction(gradients, margin=0.5), gradients[0])
    np.testing.assert_array_equal(direction(gradients, tasks=3), gradients.sum(0))


@pytest.mark.parametrize(
    "gradients",
    [
        [[1.0, 0.0], [-1.0, 0.0]],  # opposite: nothing is left
        [[1.0, 1.0], [-1.0, 0.0], [-1.0, 0.0]],  # one constraint twice
        [[1.0, 1.0], [-1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]],  # longer, and one of length zero
        [[0.0, 0.0], [-1.0, 0.0]],
        [[1e-30, 1e-30], [-1e30, 0.0]],
        [[1e30, 1e30], [-1e-30, 0.0]],
    ],
)
def test_degenerate_gradients_conflict_with_nothing_afterwards(gradients):
    gradients = np.array(gradients)
    found = direction(gradients)
    assert np.isfinite(found).all()
    for memory in gradients[1:]:
        length = np.linalg.norm(memory) * np.linalg.norm(gradients[0])
        assert memory @ found >= -1e-9 * length
