import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from support.gradient_sets import (
    ALL,
    DEPENDENT,
    REGULAR,
    SEEN,
    SIZES,
    ZERO,
    assert_close,
    direction,
    factors,
    random,
    rounding,
)  # fmt: skip

each = pytest.mark.parametrize("gradients", SEEN.values(), ids=SEEN)


def projected(gradients):
    """The sum of every gradient's projection, by scipy on whole gradients (equation 3)."""
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True).clip(1e-300)
    return sum(g + nnls(units.T, -g)[0] @ units for g in gradients)


@pytest.mark.parametrize("name", [*REGULAR, *DEPENDENT, *ZERO, "one far longer"])
def test_it_is_the_sum_of_scipys_projections(name):
    found = direction("upgrad", ALL[name])
    assert_close(found, projected(ALL[name]), ALL[name], 10)


@pytest.mark.parametrize("name", [*REGULAR, *(n for n in DEPENDENT if "nearly" not in n)])
def test_it_is_torchjds(name):
    """Its regularisation as small as its solver bears, and its average as a sum."""
    from torchjd.aggregation import UPGrad
    from torchjd.linalg import QuadprogProjector

    gradients = ALL[name]
    theirs = UPGrad(projector=QuadprogProjector(norm_eps=0, reg_eps=1e-13))
    expected = len(gradients) * theirs(torch.from_numpy(gradients)).numpy()
    assert_close(direction("upgrad", gradients), expected, gradients, 10)


@each
def test_no_task_is_worsened(gradients):
    weights = factors("upgrad", gradients)
    scaled = gradients / (np.abs(gradients).max() or 1.0)
    slack = rounding(scaled, weights) * np.linalg.norm(scaled, axis=1)
    assert (scaled @ (weights @ scaled) >= -slack).all()


@pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)
def test_it_is_linear_in_the_lengths_of_the_gradients(gradients):
    """Quinton and Rey 2024, definition 2."""
    first, second = np.random.default_rng(0).uniform(0.1, 9, size=(2, len(gradients), 1))
    both = direction("upgrad", (first + second) * gradients)
    apart = direction("upgrad", first * gradients) + direction("upgrad", second * gradients)
    assert_close(both, apart, gradients, 100)


def test_without_conflict_it_is_the_plain_sum():
    gradients = np.abs(random(4, 5, 0))
    assert factors("upgrad", gradients).tolist() == [1.0] * 4
    assert factors("upgrad", np.array([[1.0, 2.0], [0.0, 0.0]])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(10))
def test_of_two_tasks_it_is_pcgrad(seed):
    gradients = random(2, 3, seed)
    assert_close(direction("upgrad", gradients), direction("pcgrad", gradients), gradients, 10)


def test_of_very_different_lengths_the_factors_are_those_of_the_angles():
    gradients = SIZES["of every size"]
    assert np.isfinite(factors("upgrad", gradients)).all()
    units = random(2, 2, 0)
    units[1] -= units[0]
    plain = factors("upgrad", units)
    apart = factors("upgrad", units * [[1e-40], [1e40]])
    assert apart[1] == pytest.approx(1.0)
    assert plain[0] > 1.0
    assert apart[0] == pytest.approx(1.0 + 1e80 * -(units[0] @ units[1]) / (units[0] @ units[0]))
