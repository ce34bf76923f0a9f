import numpy as np
import pytest
import torch
from support.gradient_sets import ALL, DEPENDENT, REGULAR, ZERO, assert_close, direction, factors

EXACT = {**REGULAR, **{n: g for n, g in DEPENDENT.items() if "nearly" not in n}, **ZERO}


@pytest.mark.parametrize("gradients", EXACT.values(), ids=EXACT)
def test_it_is_torchjds(gradients):
    from torchjd.aggregation import AlignedMTL

    if not gradients.any():
        return  # theirs divides by zero
    expected = len(gradients) * AlignedMTL()(torch.from_numpy(gradients)).numpy()
    assert_close(direction("aligned_mtl", gradients), expected, gradients)


@pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)
def test_it_is_the_sum_of_the_nearest_orthogonal_gradients(gradients):
    """By the singular values of the gradients themselves (equation 5)."""
    left, values, right = np.linalg.svd(gradients, full_matrices=False)
    aligned = values.min() * left @ right
    assert_close(direction("aligned_mtl", gradients), aligned.sum(0), gradients)


@pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)
def test_no_pair_of_aligned_gradients_conflicts_and_the_step_is_never_longer(gradients):
    found = direction("aligned_mtl", gradients)
    shortest = np.linalg.svd(gradients)[1].min()
    assert np.linalg.norm(found) == pytest.approx(shortest * np.sqrt(len(gradients)), rel=1e-7)


def test_gradients_of_zero_are_summed_as_they_are():
    assert factors("aligned_mtl", ZERO["all zero"]).tolist() == [1.0] * 3


@pytest.mark.parametrize("gradients", ALL.values(), ids=ALL)
def test_factors_do_not_depend_on_the_unit(gradients):
    expected = factors("aligned_mtl", gradients)
    if 1e-150 < np.abs(gradients).max(initial=1e-200) < 1e140:
        assert factors("aligned_mtl", gradients * 2.0**10).tolist() == expected.tolist()
