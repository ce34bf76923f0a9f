import numpy as np
import pytest
import torch
from support.gradient_sets import (
    DEPENDENT,
    REGULAR,
    SEEN,
    assert_close,
    direction,
    factors,
    rounding,
)

each = pytest.mark.parametrize("gradients", SEEN.values(), ids=SEEN)


@pytest.mark.parametrize("seed", range(20))
def test_of_two_tasks_it_is_torchjds_and_the_papers_closed_form(seed):
    """Of two, Frank-Wolfe is exact after one step; Sener and Koltun 2018, equation 4."""
    from torchjd.aggregation import MGDA

    gradients = np.random.default_rng(seed).normal(size=(2, 4)) * [[1.0], [seed + 1.0]]
    a, b = gradients
    first = np.clip((b - a) @ b / ((a - b) @ (a - b)), 0, 1)
    expected = 2 * (first * a + (1 - first) * b)
    assert_close(direction("mgda", gradients), expected, gradients)
    torchjds = 2 * MGDA(epsilon=1e-15, max_iters=10)(torch.from_numpy(gradients)).numpy()
    assert_close(direction("mgda", gradients), torchjds, gradients)


@pytest.mark.parametrize("gradients", [*REGULAR.values(), *DEPENDENT.values()])
def test_frank_wolfe_of_torchjd_comes_near_it_and_never_below(gradients):
    from torchjd.aggregation import MGDA

    theirs = len(gradients) * MGDA(epsilon=1e-12, max_iters=3000)(torch.from_numpy(gradients))
    found = np.linalg.norm(direction("mgda", gradients))
    assert found <= theirs.norm() + rounding(gradients)
    assert found == pytest.approx(float(theirs.norm()), abs=2e-2 * rounding(gradients) / 1e-9)


@each
def test_every_task_gains_at_least_as_much_as_the_direction_is_long(gradients):
    """g_i . d >= |d|^2 / tasks, which proves that d is the shortest; so no task is worsened."""
    weights = factors("mgda", gradients)
    longest = np.abs(gradients).max() or 1.0
    scaled = gradients / longest
    found = weights @ scaled
    slack = rounding(scaled, weights) * np.linalg.norm(scaled, axis=1)
    assert (scaled @ found >= found @ found / len(gradients) - slack).all()
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(len(gradients))


def test_a_zero_gradient_and_opposite_ones_leave_nothing_to_gain():
    for name in ("opposite", "opposite, not as long", "opposite, and another", "around zero"):
        assert_close(direction("mgda", DEPENDENT[name]), 0.0, DEPENDENT[name])
    assert direction("mgda", np.array([[1.0, 2.0], [0.0, 0.0]])).tolist() == [0.0, 0.0]


def test_it_leans_towards_the_shortest_gradient():
    """By hand: of orthogonal gradients the factors are as 1 to the squares."""
    assert factors("mgda", np.diag([1.0, 2.0])) == pytest.approx([1.6, 0.4])
