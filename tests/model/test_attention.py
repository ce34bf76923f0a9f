import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator
from torch.nn import functional

from mtbert.model.attention import Layout, attend

LENGTHS = (3, 1, 17, 16, 5, 70, 3)


def packed(lengths, heads, size, seed=0):
    generator = Generator().manual_seed(seed)
    return torch.randn(sum(lengths), 3 * heads * size, generator=generator, dtype=torch.float64)


def layout_of(lengths):
    return Layout(lengths, torch.device("cpu"))


def each_alone(qkv, lengths, heads):
    """torch's own attention, one sequence after the other."""
    results = []
    for rows in qkv.split(list(lengths)):
        q, k, v = (p.unflatten(1, (heads, -1)).transpose(0, 1) for p in rows.chunk(3, dim=1))
        results.append(functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1))
    return torch.cat(results)


@given(
    lengths=st.lists(st.integers(1, 80), min_size=1, max_size=8),
    heads=st.sampled_from([1, 2, 3]),
    size=st.sampled_from([1, 4, 8]),
)
def test_packed_attention_is_each_sequences_attention(lengths, heads, size):
    qkv = packed(lengths, heads, size).requires_grad_()
    expected = each_alone(qkv, lengths, heads)
    found = attend(qkv, layout_of(lengths), heads, 0.1, None)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    weights = torch.randn(expected.shape, generator=Generator().manual_seed(1)).double()
    (wanted,) = torch.autograd.grad(expected, qkv, weights)
    (gradient,) = torch.autograd.grad(found, qkv, weights)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-11)


def test_permuting_sequences_permutes_results():
    qkv = packed(LENGTHS, 2, 4)
    order = [4, 0, 6, 2, 5, 1, 3]
    parts = qkv.split(list(LENGTHS))
    shuffled = torch.cat([parts[i] for i in order])
    straight = attend(qkv, layout_of(LENGTHS), 2, 0.0, None).split(list(LENGTHS))
    found = attend(shuffled, layout_of([LENGTHS[i] for i in order]), 2, 0.0, None)
    torch.testing.assert_close(found, torch.cat([straight[i] for i in order]))


def test_one_sequence_does_not_see_another():
    qkv = packed(LENGTHS, 2, 4)
    before = attend(qkv, layout_of(LENGTHS), 2, 0.0, None)
    qkv[:3] = 1e6
    after = attend(qkv, layout_of(LENGTHS), 2, 0.0, None)
    assert torch.equal(before[3:], after[3:])


@pytest.mark.parametrize("rate", [None, 0.1, 0.5])
@pytest.mark.parametrize("lengths", [(4,), (2, 3, 1), (2, 18, 3)])
def test_gradcheck(lengths, rate):
    qkv = packed(lengths, 2, 2).requires_grad_()
    layout = layout_of(lengths)

    def function(x):
        generator = None if rate is None else Generator().manual_seed(3)
        return attend(x, layout, 2, rate or 0.0, generator)

    assert torch.autograd.gradcheck(function, (qkv,))


def test_dropout_falls_on_the_attention_weights():
    """With unit vectors as values the output is the matrix of attention weights itself."""
    length, heads = 16, 2
    qkv = packed((length,), heads, length)
    queries, keys = (p.unflatten(1, (heads, length)) for p in qkv.chunk(3, dim=1)[:2])
    qkv[:, 2 * heads * length :] = torch.eye(length).repeat(1, heads)
    whole = torch.softmax(torch.einsum("ihd,jhd->ihj", queries, keys) / length**0.5, dim=-1)
    found = attend(qkv, layout_of((length,)), heads, 0.1, Generator().manual_seed(0))
    found = found.unflatten(1, (heads, length))
    dropped = found == 0
    assert 0.05 < dropped.double().mean() < 0.16
    torch.testing.assert_close(found[~dropped], whole[~dropped] * 256 / 230)


def test_dropout_preserves_the_expectation():
    lengths = (3, 7, 20)
    qkv, layout = packed(lengths, 2, 4), layout_of(lengths)
    generator, rounds = Generator().manual_seed(0), 2000
    mean = sum(attend(qkv, layout, 2, 0.1, generator) for _ in range(rounds)) / rounds
    assert (mean - attend(qkv, layout, 2, 0.0, None)).abs().max() < 0.1


def test_the_same_seed_gives_the_same_dropout():
    qkv, layout = packed(LENGTHS, 2, 4), layout_of(LENGTHS)
    first, again, other = (
        attend(qkv, layout, 2, 0.1, Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_stays_near_float64(dtype):
    qkv = packed(LENGTHS, 2, 8)
    found = attend(qkv.to(dtype), layout_of(LENGTHS), 2, 0.0, None)
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    torch.testing.assert_close(
        found.double(), each_alone(qkv, LENGTHS, 2), rtol=tolerance, atol=tolerance
    )


def test_large_scores_do_not_overflow():
    qkv = packed(LENGTHS, 2, 8) * 1e4
    assert attend(qkv.float(), layout_of(LENGTHS), 2, 0.0, None).isfinite().all()


def test_layout_says_where_every_token_belongs():
    layout = layout_of((2, 1, 3))
    assert layout.lengths == (2, 1, 3)
    assert layout.starts.tolist() == [0, 2, 3]
    assert layout.sequence_of.tolist() == [0, 0, 1, 2, 2, 2]
    assert layout.position_of.tolist() == [0, 1, 0, 0, 1, 2]


@pytest.mark.parametrize("lengths", [(), (3, 0), (-1,)])
def test_a_batch_without_sequences_or_with_an_empty_one_is_refused(lengths):
    with pytest.raises(ValueError, match="token"):
        layout_of(lengths)
