import math

import pytest
import torch
from torch import Generator

from mtbert.model.dropout import add_dropout, dropout, keep_mask

N = 1 << 20


def seeded(seed=0):
    return Generator().manual_seed(seed)


@pytest.mark.parametrize(("rate", "share"), [(0.1, 26 / 256), (0.5, 0.5), (0.25, 0.25)])
def test_share_of_dropped_values_is_the_rate_in_256ths(rate, share):
    dropped = (dropout(torch.ones(N), rate, seeded()) == 0).float().mean().item()
    assert abs(dropped - share) < 5 * math.sqrt(share * (1 - share) / N)


def test_each_of_the_eight_values_of_a_draw_is_dropped_equally_often():
    dropped = (keep_mask((N,), 0.1, torch.ones(()), seeded()) == 0).view(-1, 8).float()
    share, rows = 26 / 256, N // 8
    bound = 5 * math.sqrt(share * (1 - share) / rows)
    assert (dropped.mean(0) - share).abs().max() < bound
    correlations = torch.corrcoef(dropped.T).fill_diagonal_(0)
    assert correlations.abs().max() < 6 / math.sqrt(rows)


def test_the_mean_is_preserved():
    kept = dropout(torch.ones(N), 0.1, seeded()).double()
    assert abs(kept.mean().item() - 1) < 5 * math.sqrt(26 / 230 / N)
    assert kept.unique().tolist() == pytest.approx([0, 256 / 230], rel=1e-6)


def test_the_same_seed_gives_the_same_mask_and_another_seed_another():
    x = torch.randn(64, 7)
    first = dropout(x, 0.3, seeded(5))
    assert torch.equal(first, dropout(x, 0.3, seeded(5)))
    assert not torch.equal(first, dropout(x, 0.3, seeded(6)))


def test_a_generator_that_goes_on_gives_another_mask_each_time():
    generator, x = seeded(), torch.ones(1000)
    assert not torch.equal(dropout(x, 0.3, generator), dropout(x, 0.3, generator))


def test_torchs_global_state_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = dropout(torch.ones(100), 0.5, seeded())
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, dropout(torch.ones(100), 0.5, seeded()))


def test_without_generator_or_rate_the_input_itself_comes_back():
    x = torch.randn(10)
    assert dropout(x, 0.5, None) is x
    assert dropout(x, 0.0, seeded()) is x


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.2, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_mean_is_preserved_in_half_precision_too(dtype, rate):
    """256 / 230 is no bfloat16: the nearest one lowers every mean by 0.3 %."""
    mask = keep_mask((N,), rate, torch.ones((), dtype=dtype), seeded()).double()
    level = round(rate * 256)
    spread = 5 * math.sqrt(level / (256 - level) / N)
    assert abs(mask.mean().item() - 1) < spread
    kept = mask[mask > 0]  # without the chance of how many are kept
    scale = 256 / (256 - level)
    assert kept.mean().item() == pytest.approx(scale, rel=1.5e-4)
    assert len(kept.unique()) <= 2
    assert (kept / scale - 1).abs().max() <= torch.finfo(dtype).eps
    whole = keep_mask((N,), rate, torch.ones(()), seeded())
    assert torch.equal(mask == 0, whole == 0)


@pytest.mark.parametrize("rate", [0.998, 0.9999])
def test_a_rate_near_one_keeps_finite_values(rate):
    kept = dropout(torch.ones(N), rate, seeded())
    assert kept.isfinite().all()
    assert kept.max() == 256


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 0, 4), (2, 3, 4, 5)])
def test_shape_and_dtype_are_those_of_the_input(shape, dtype):
    x = torch.ones(shape, dtype=dtype)
    result = dropout(x, 0.1, seeded())
    assert (result.shape, result.dtype) == (x.shape, dtype)


def test_the_gradient_is_the_mask():
    x = torch.randn(50, requires_grad=True)
    dropout(x, 0.4, seeded()).sum().backward()
    assert torch.equal(x.grad, keep_mask(x.shape, 0.4, x, seeded()))


def test_add_dropout_is_the_sum_with_what_dropout_leaves():
    x, y = (torch.randn(30, 8, generator=seeded(i), dtype=torch.float64) for i in (1, 2))
    x.requires_grad_(), y.requires_grad_()
    found, expected = add_dropout(x, y, 0.3, seeded()), x + dropout(y, 0.3, seeded())
    torch.testing.assert_close(found, expected, rtol=1e-15, atol=1e-15)
    weights = torch.randn(30, 8, generator=seeded(3), dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad(found, (x, y), weights),
        torch.autograd.grad(expected, (x, y), weights),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("rate", "generator"), [(0.5, None), (0.0, seeded())])
def test_add_dropout_without_generator_or_rate_is_the_sum(rate, generator):
    x, y = torch.randn(5), torch.randn(5)
    assert torch.equal(add_dropout(x, y, rate, generator), x + y)
