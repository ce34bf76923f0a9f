import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator
from torch.nn import functional

from mtbert.model.attention import Layout, attend

KERNELS = ["eager", "sdpa"]
KEPT = {"eager": 230 / 256, "sdpa": 0.9}
"""The probability that an attention weight is kept at a rate of 0.1."""

LENGTHS = (3, 1, 17, 16, 5, 70, 3)


def packed(lengths, heads, size, seed=0):
    generator = Generator().manual_seed(seed)
    return torch.randn(sum(lengths), 3 * heads * size, generator=generator, dtype=torch.float64)


def layout_of(lengths, **options):
    return Layout(lengths, torch.device("cpu"), **options)


def attend_packed(qkv, lengths, heads, rate, generator, kernel="eager", **options):
    """Tokens one after another, `[T, 3 * H * D]`, into their slots, attended, and back."""
    layout = layout_of(lengths, **options)
    return attend(layout.place(qkv), layout, heads, rate, generator, kernel)[layout.slots]


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
    kernel=st.sampled_from(KERNELS),
    bucketed=st.booleans(),
)
def test_packed_attention_is_each_sequences_attention(lengths, heads, size, kernel, bucketed):
    qkv = packed(lengths, heads, size).requires_grad_()
    expected = each_alone(qkv, lengths, heads)
    found = attend_packed(qkv, lengths, heads, 0.1, None, kernel, bucketed=bucketed)
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
    straight = attend_packed(qkv, LENGTHS, 2, 0.0, None).split(list(LENGTHS))
    found = attend_packed(shuffled, [LENGTHS[i] for i in order], 2, 0.0, None)
    torch.testing.assert_close(found, torch.cat([straight[i] for i in order]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_sequence_does_not_see_another(kernel):
    qkv = packed(LENGTHS, 2, 4)
    before = attend_packed(qkv, LENGTHS, 2, 0.0, None, kernel)
    qkv[:3] = 1e6
    after = attend_packed(qkv, LENGTHS, 2, 0.0, None, kernel)
    assert torch.equal(before[3:], after[3:])


@pytest.mark.parametrize("rate", [None, 0.1, 0.5])
@pytest.mark.parametrize("lengths", [(4,), (2, 3, 1), (2, 18, 3)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradcheck(lengths, rate, kernel):
    qkv = packed(lengths, 2, 2).requires_grad_()

    def function(x):
        generator = None if rate is None else Generator().manual_seed(3)
        return attend_packed(x, lengths, 2, rate or 0.0, generator, kernel)

    assert torch.autograd.gradcheck(function, (qkv,))


@pytest.mark.parametrize("kernel", KERNELS)
def test_dropout_falls_on_the_attention_weights(kernel):
    """With unit vectors as values the output is the matrix of attention weights itself."""
    length, heads = 16, 2
    qkv = packed((length,), heads, length)
    queries, keys = (p.unflatten(1, (heads, length)) for p in qkv.chunk(3, dim=1)[:2])
    qkv[:, 2 * heads * length :] = torch.eye(length).repeat(1, heads)
    whole = torch.softmax(torch.einsum("ihd,jhd->ihj", queries, keys) / length**0.5, dim=-1)
    found = attend_packed(qkv, (length,), heads, 0.1, Generator().manual_seed(0), kernel)
    found = found.unflatten(1, (heads, length))
    dropped = found == 0
    assert 0.05 < dropped.double().mean() < 0.16
    torch.testing.assert_close(found[~dropped], whole[~dropped] / KEPT[kernel])


def test_dropout_preserves_the_expectation():
    lengths = (3, 7, 20)
    qkv = packed(lengths, 2, 4)
    generator, rounds = Generator().manual_seed(0), 2000
    found = torch.stack([attend_packed(qkv, lengths, 2, 0.1, generator) for _ in range(rounds)])
    error = (found.mean(0) - attend_packed(qkv, lengths, 2, 0.0, None)).abs()
    assert (error <= 6 * found.std(0) / rounds**0.5).all()
    assert (found.std(0) > 0).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_seed_gives_the_same_dropout(kernel):
    qkv = packed(LENGTHS, 2, 4)
    first, again, other = (
        attend_packed(qkv, LENGTHS, 2, 0.1, Generator().manual_seed(seed), kernel)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kernel", KERNELS)
def test_dropout_goes_on_drawing_from_its_generator_and_leaves_torchs_own_alone(kernel):
    qkv, generator = packed(LENGTHS, 2, 4), Generator().manual_seed(1)
    before = torch.get_rng_state()
    first = attend_packed(qkv, LENGTHS, 2, 0.1, generator, kernel)
    second = attend_packed(qkv, LENGTHS, 2, 0.1, generator, kernel)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_variable_length_attention_is_told_where_sequences_begin(monkeypatch):
    """Its kernel needs a GPU; here a loop stands for it."""
    module = pytest.importorskip("torch.nn.attention.varlen")

    def loop(q, k, v, bounds, key_bounds, longest, longest_key):
        assert bounds.dtype == torch.int32 and torch.equal(bounds, key_bounds)
        sizes = bounds.diff().tolist()
        assert (longest, longest_key) == (max(sizes), max(sizes))
        rows = (torch.cat([x.flatten(1) for x in qkv], dim=1) for qkv in zip(
            q.split(sizes), k.split(sizes), v.split(sizes), strict=True))  # fmt: skip
        return each_alone(torch.cat(list(rows)), sizes, q.shape[1]).unflatten(1, q.shape[1:])

    monkeypatch.setattr(module, "varlen_attn", loop)
    qkv = packed(LENGTHS, 2, 4)
    for bucketed in (False, True):
        found = attend_packed(qkv, LENGTHS, 2, 0.1, None, "varlen", bucketed=bucketed)
        torch.testing.assert_close(found, each_alone(qkv, LENGTHS, 2))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_stays_near_float64(dtype, kernel):
    qkv = packed(LENGTHS, 2, 8)
    found = attend_packed(qkv.to(dtype), LENGTHS, 2, 0.0, None, kernel)
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    torch.testing.assert_close(
        found.double(), each_alone(qkv, LENGTHS, 2), rtol=tolerance, atol=tolerance
    )


def test_large_scores_do_not_overflow():
    qkv = packed(LENGTHS, 2, 8) * 1e4
    assert attend_packed(qkv.float(), LENGTHS, 2, 0.0, None).isfinite().all()


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    bucketed=st.booleans(),
)
def test_every_token_has_a_slot_of_its_own_and_no_sequence_is_torn(lengths, bucketed):
    layout = layout_of(lengths, bucketed=bucketed)
    slots = layout.slots.tolist()
    assert len(set(slots)) == len(slots) == sum(lengths)
    assert min(slots) >= 0 and max(slots) < layout.size
    found = list(zip(layout.sequence_of.tolist(), layout.position_of.tolist(), strict=True))
    assert found == [(i, k) for i, length in enumerate(lengths) for k in range(length)]
    for sequence, position, slot in zip(*zip(*found, strict=True), slots, strict=True):
        assert slot == layout.starts[sequence] + position
    ends = [group.slots.stop for group in layout.groups]
    assert ends[-1] == layout.size
    assert [group.slots.start for group in layout.groups] == [0, *ends[:-1]]


@given(lengths=st.lists(st.integers(5, 60), min_size=32, max_size=32))
def test_few_slots_stay_empty(lengths):
    assert layout_of(lengths).size <= 1.35 * sum(lengths) + 64


@given(lengths=st.lists(st.integers(1, 128), min_size=1, max_size=200))
def test_buckets_are_few_and_cost_an_eighth_at_most(lengths):
    plain, bucketed = layout_of(lengths).size, layout_of(lengths, bucketed=True).size
    assert plain <= bucketed <= max(plain + 63, plain * 9 / 8)
    steps = [range(64, 1025, 64), *(range(n, 2 * n + 1, n // 8) for n in (1024, 2048, 4096, 8192))]
    assert bucketed in {*range(16384, 32769, 2048)}.union(*steps)


def test_place_puts_values_into_their_slots():
    layout = layout_of((2, 1, 3))
    values = torch.arange(1.0, 7).unsqueeze(1)
    placed = layout.place(values)
    assert placed.shape == (64, 1)
    assert torch.equal(placed[layout.slots], values)
    assert placed.sum() == values.sum()


@pytest.mark.parametrize("lengths", [(), (3, 0), (-1,)])
def test_a_batch_without_sequences_or_with_an_empty_one_is_refused(lengths):
    with pytest.raises(ValueError, match="token"):
        layout_of(lengths)
