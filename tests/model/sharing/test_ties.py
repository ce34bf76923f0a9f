import itertools

import pytest
import torch
from torch import Generator

from mtbert.model.sharing.ties import squared_distances, trace_norm


def rows(tasks, shape=(3, 4), *, spread=1.0, dtype=torch.float64, seed=0):
    """A tensor of each task, alike but for `spread`."""
    generator = Generator().manual_seed(seed)
    common = torch.randn(shape, generator=generator, dtype=torch.float64)
    return [
        (common + spread * torch.randn(shape, generator=generator, dtype=torch.float64))
        .to(dtype)
        .requires_grad_()
        for _ in range(tasks)
    ]


def by_pairs(weights):
    pairs = itertools.combinations(weights, 2)
    return sum((a - b).pow(2).sum() for a, b in pairs) / 2


def by_linalg(weights):
    return torch.linalg.matrix_norm(torch.stack([w.flatten() for w in weights]), ord="nuc")


@pytest.mark.parametrize("tasks", [2, 3, 8])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
@pytest.mark.parametrize(
    ("tie", "reference"), [(squared_distances, by_pairs), (trace_norm, by_linalg)]
)
def test_a_tie_and_its_gradient_are_those_of_autograd(tie, reference, tasks, spread):
    weights = rows(tasks, spread=spread)
    value, expected = tie(weights), reference(weights)
    tolerance = 1e-11 if tie is squared_distances else 1e-9 / spread
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    found = torch.autograd.grad(3 * value, weights)
    for gradient, wanted in zip(found, torch.autograd.grad(3 * expected, weights), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("tie", [squared_distances, trace_norm])
def test_float32_is_near_float64_for_weights_that_are_nearly_alike(tie):
    narrow = rows(3, (40, 50), spread=1e-4, dtype=torch.float32)
    wide = [w.detach().double().requires_grad_() for w in narrow]
    value, expected = tie(narrow), tie(wide)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)
    found = torch.autograd.grad(value, narrow)
    for gradient, wanted in zip(found, torch.autograd.grad(expected, wide), strict=True):
        torch.testing.assert_close(gradient.double(), wanted, rtol=1e-4, atol=1e-6)


def test_equal_weights_are_not_drawn_anywhere():
    weights = [w.detach().clone().requires_grad_() for w in rows(1, dtype=torch.float32) * 3]
    value = squared_distances(weights)
    assert value == 0
    assert not any(g.any() for g in torch.autograd.grad(value, weights))


def test_of_equal_weights_the_trace_norm_takes_the_smallest_subgradient():
    """M = 1 w' has one singular value, and U V' of it is 1 w' / (sqrt(3) |w|)."""
    (w,) = rows(1)
    weights = [w.detach().clone().requires_grad_() for _ in range(3)]
    value = trace_norm(weights)
    torch.testing.assert_close(value, 3**0.5 * w.norm(), rtol=1e-12, atol=0)
    for gradient in torch.autograd.grad(value, weights):
        torch.testing.assert_close(gradient, w.detach() / w.norm() / 3**0.5, rtol=1e-9, atol=1e-9)


def test_weights_that_are_all_zero_have_no_gradient():
    weights = [torch.zeros(4, requires_grad=True) for _ in range(2)]
    value = trace_norm(weights)
    assert value == 0
    assert not any(g.any() for g in torch.autograd.grad(value, weights))


def test_large_tensors_are_taken_in_pieces(monkeypatch):
    weights = rows(3, (7, 5))
    expected = trace_norm(weights)
    monkeypatch.setattr("mtbert.model.sharing.ties._PIECE", 4)
    torch.testing.assert_close(trace_norm(weights), expected, rtol=1e-12, atol=0)
