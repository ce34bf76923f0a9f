import pytest
import torch
from torch import Generator

from mtbert.surgery import pcgrad, pcgrad_weights
from mtbert.training.gram import gram_matrix, weighted_sum


def test_gram_matrix_counts_an_absent_gradient_as_zero():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([[3.0], [-1.0]])
    gram = gram_matrix([[a, b], [2 * a, None], [None, None]])
    assert gram.tolist() == [[15, 10, 0], [10, 20, 0], [0, 0, 0]]


SIZES = [0.0, 1e-30, 1e-21, 1e-12, 1.0, 1e12, 1e25]


@pytest.mark.parametrize("a", SIZES)
@pytest.mark.parametrize("b", SIZES)
@pytest.mark.parametrize("flushed", [False, True])
def test_the_gram_matrix_of_gradients_of_any_size_is_float64s(a, b, flushed):
    """Also where numbers below 1e-38 count as zero, as in training."""
    generator = Generator().manual_seed(3)
    gradients = [
        [size * torch.randn(n, generator=generator) for n in (7, 3000)] for size in (a, b, 1.0)
    ]
    rows = torch.stack([torch.cat(g).double() for g in gradients])
    torch.set_flush_denormal(flushed)
    try:
        gram = gram_matrix(gradients)
    finally:
        torch.set_flush_denormal(False)
    lengths = rows.norm(dim=1)
    assert ((gram - rows @ rows.T).abs() <= 1e-6 * lengths * lengths[:, None]).all()


@pytest.mark.parametrize("a", [1e-30, 1.0, 1e25])
@pytest.mark.parametrize("b", [1e-30, 1.0, 1e25])
@pytest.mark.parametrize("seed", range(3))
def test_surgery_on_float32_gradients_of_any_size_is_float64s(monkeypatch, a, b, seed):
    generator = Generator().manual_seed(seed)
    base = torch.randn(3, 200, generator=generator)
    base[1] = base[1] - 2 * base[0]  # these two conflict
    gradients = base * torch.tensor([[a], [b], [1.0]])
    expected = pcgrad(gradients.double(), Generator().manual_seed(seed))
    parts = [[row[:50].clone(), row[50:].clone()] for row in gradients]
    weights = pcgrad_weights(gram_matrix(parts), Generator().manual_seed(seed))
    weighted_sum(parts, weights.tolist())
    found = torch.cat(parts[0]).double()
    assert found.isfinite().all()
    assert (found - expected).norm() <= 1e-5 * expected.norm()
