import math

import pytest
import torch
from torch import Generator

from mtbert.surgery import pcgrad, pcgrad_weights


def seeded(seed=0):
    return Generator().manual_seed(seed)


def test_every_task_draws_an_order_of_its_own(monkeypatch):
    asked = []

    def spy(tasks, generator=None):
        asked.append((tasks, generator))
        return torch.arange(tasks)

    monkeypatch.setattr(torch, "randperm", spy)
    generator = seeded()
    pcgrad(torch.eye(4), generator)
    assert asked == [(4, generator)] * 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1.0, 1e15, 1e30])
def test_tiny_and_huge_gradients_give_the_scaled_result(dtype, scale):
    gradients = torch.tensor([[1.0, 2.0, -1.0], [-2.0, 1.0, 0.5], [0.5, -3.0, 1.0]], dtype=dtype)
    expected = pcgrad(gradients, seeded(1)) * scale
    found = pcgrad(gradients * scale, seeded(1))
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_inputs_stay_as_they_are(dtype):
    gradients = torch.randn(4, 6, generator=seeded()).to(dtype)
    gram = gradients @ gradients.T
    before = gradients.clone(), gram.clone()
    pcgrad(gradients, seeded())
    pcgrad_weights(gram, seeded())
    assert torch.equal(gradients, before[0])
    assert torch.equal(gram, before[1])


def test_the_same_seed_gives_the_same_result_and_seeds_differ():
    gradients = torch.randn(5, 3, generator=seeded(2), dtype=torch.float64)
    results = {tuple(pcgrad(gradients, seeded(seed)).tolist()) for seed in range(8)}
    assert len(results) > 1
    assert torch.equal(pcgrad(gradients, seeded(3)), pcgrad(gradients, seeded(3)))


def test_without_a_generator_torchs_own_is_used():
    gradients = torch.randn(5, 3, generator=seeded(2))
    torch.manual_seed(3)
    first = pcgrad(gradients)
    torch.manual_seed(3)
    assert torch.equal(first, pcgrad(gradients))


def test_with_a_generator_torchs_own_is_not_moved():
    before = torch.get_rng_state()
    pcgrad(torch.randn(3, 3, generator=seeded()), seeded())
    assert torch.equal(before, torch.get_rng_state())


def test_an_integer_or_float32_gram_matrix_gives_float64_weights():
    weights = pcgrad_weights(torch.tensor([[1, -1], [-1, 2]]))
    assert weights.tolist() == [2.0, 1.5]
    assert pcgrad_weights(torch.tensor([[1.0, -1.0], [-1.0, 2.0]])).dtype == torch.float64
    assert all(math.isfinite(w) for w in weights.tolist())


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_float32_gradients_whose_squares_are_no_float32_give_numbers(size):
    gradients = torch.tensor([[size, 0.0], [-size, size]])
    found = pcgrad(gradients)
    torch.testing.assert_close(found / size, torch.tensor([0.5, 1.5]))
