import numpy as np
import pytest
import torch
from support.gradient_sets import DEPENDENT, REGULAR, assert_close, direction, factors

each = pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)


@each
def test_it_is_torchjds_and_the_papers_closed_form(gradients):
    """Equation 2: a_2..T = g_1 U' (D U')^-1, on whole gradients."""
    from torchjd.aggregation import IMTLG

    weights = factors("imtl_g", gradients)
    theirs = len(gradients) * IMTLG()(torch.from_numpy(gradients)).numpy()
    assert_close(weights @ gradients, theirs, gradients, weights)
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    differences, unit_differences = (x[0] - x[1:] for x in (gradients, units))
    rest = np.linalg.solve((differences @ unit_differences.T).T, gradients[0] @ unit_differences.T)
    expected = len(gradients) * np.append(1 - rest.sum(), rest)
    assert_close(weights @ gradients, expected @ gradients, gradients, weights)


@each
def test_every_task_has_the_same_projection_and_factors_add_up(gradients):
    weights = factors("imtl_g", gradients)
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    projections = units @ (weights @ gradients)
    assert np.ptp(projections) <= 1e-9 * np.abs(weights @ np.abs(gradients)).sum()
    assert weights.sum() == pytest.approx(len(gradients))


@pytest.mark.parametrize("gradients", [*REGULAR.values(), DEPENDENT["equal, and another"]])
def test_the_lengths_of_the_gradients_have_no_say_in_the_direction(gradients):
    """Theorem 2; up to its sign, which is that of the sum of the factors."""
    lengths = np.random.default_rng(0).uniform(0.01, 100, size=(len(gradients), 1))
    found, other = (direction("imtl_g", g) for g in (gradients, lengths * gradients))
    cosine = found @ other / np.linalg.norm(found) / np.linalg.norm(other)
    assert abs(cosine) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_of_two_tasks_it_is_the_bisector(seed):
    gradients = np.random.default_rng(seed).normal(size=(2, 3))
    lengths = np.linalg.norm(gradients, axis=1)
    bisector = (gradients / lengths[:, None]).sum(0)
    expected = 2 * bisector / (1 / lengths).sum()
    assert_close(direction("imtl_g", gradients), expected, gradients)


def test_where_no_factors_add_up_to_one_the_step_is_zero():
    for name in ("opposite", "opposite, not as long"):
        assert factors("imtl_g", DEPENDENT[name]).tolist() == [0.0, 0.0]


def test_a_zero_gradient_has_no_part():
    weights = factors("imtl_g", np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]]))
    assert weights == pytest.approx([2.0, 0.0, 1.0])
