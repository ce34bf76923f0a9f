import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Generator

from mtbert.methods.aggregation.pcgrad import PCGrad
from mtbert.surgery import pcgrad, pcgrad_weights

VALUES = st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-3 else x)


def gradients_of(tasks):
    shapes = st.tuples(tasks, st.integers(1, 6))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=VALUES))


def seeded(seed=0):
    return Generator().manual_seed(seed)


def algorithm1(gradients, orders):
    """Yu et al. 2020, Algorithm 1, as printed: on whole vectors, in float64."""
    total = np.zeros(gradients.shape[1])
    for i, order in enumerate(orders):
        projected = gradients[i].copy()
        for j in order:
            if j == i:
                continue
            inner = projected @ gradients[j]
            if inner < 0:
                projected -= inner / (gradients[j] @ gradients[j]) * gradients[j]
        total += projected
    return total


def drawn_orders(tasks, seed):
    """The orders that a generator with this seed gives: one permutation a task."""
    generator = seeded(seed)
    return [torch.randperm(tasks, generator=generator).tolist() for _ in range(tasks)]


def close(found, expected, gradients):
    scale = np.linalg.norm(gradients, axis=1).sum() + 1e-300
    assert np.abs(np.asarray(found) - expected).max(initial=0) <= 1e-9 * scale


@given(gradients=gradients_of(st.integers(1, 6)), seed=st.integers(0, 10_000))
def test_it_is_algorithm_1_on_whole_vectors(gradients, seed):
    found = pcgrad(torch.from_numpy(gradients), seeded(seed))
    close(found, algorithm1(gradients, drawn_orders(len(gradients), seed)), gradients)


def test_two_conflicting_tasks_by_hand():
    """g1 = (1, 0) and g2 = (-1, 1): g1' = (1/2, 1/2), g2' = (0, 1)."""
    found = pcgrad(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    torch.testing.assert_close(found, torch.tensor([0.5, 1.5]))


def scripted(monkeypatch, orders):
    """torch.randperm gives these orders, one after the other, to whoever asks."""
    stream = iter(orders)
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: torch.tensor(next(stream)))


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_torchjd_for_every_order_of_three_tasks(monkeypatch, seed):
    from torchjd.aggregation import PCGrad

    gradients = torch.randn(3, 5, dtype=torch.float64, generator=seeded(seed))
    gradients[1] -= 1.5 * gradients[0]
    gradients[2] -= gradients.sum(0)
    results = set()
    for orders in itertools.product(itertools.permutations(range(3)), repeat=3):
        scripted(monkeypatch, orders)
        expected = PCGrad()(gradients)
        scripted(monkeypatch, orders)
        found = pcgrad(gradients)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        results.add(tuple(found.round(decimals=6).tolist()))
    assert len(results) > 1  # the orders matter


@given(gradients=gradients_of(st.just(2)))
def test_the_result_of_two_tasks_points_against_neither(gradients):
    found = pcgrad(torch.from_numpy(gradients)).numpy()
    norms = np.linalg.norm(gradients, axis=1)
    assert (gradients @ found >= -1e-9 * norms * norms.sum()).all()


@given(gradients=gradients_of(st.integers(1, 5)).map(np.abs), seed=st.integers(0, 100))
def test_without_conflict_the_result_is_the_sum(gradients, seed):
    found = pcgrad(torch.from_numpy(gradients), seeded(seed))
    close(found, gradients.sum(0), gradients)
    gram = torch.from_numpy(gradients @ gradients.T)
    assert pcgrad_weights(gram).tolist() == [1.0] * len(gradients)


@given(gradients=gradients_of(st.just(1)))
def test_one_task_keeps_its_gradient(gradients):
    assert np.array_equal(pcgrad(torch.from_numpy(gradients)).numpy(), gradients[0])


@given(gradients=gradients_of(st.integers(2, 5)), which=st.integers(0, 1), seed=st.integers(0, 99))
def test_a_zero_gradient_changes_nothing(gradients, which, seed):
    gradients[which] = 0
    found = pcgrad(torch.from_numpy(gradients), seeded(seed)).numpy()
    assert np.isfinite(found).all()
    close(found, algorithm1_without_zeros(gradients, seed), gradients)


def algorithm1_without_zeros(gradients, seed):
    kept = [i for i, g in enumerate(gradients) if g.any()]
    orders = drawn_orders(len(gradients), seed)
    orders = [[kept.index(j) for j in orders[i] if j in kept] for i in kept]
    return algorithm1(gradients[kept], orders)


@pytest.mark.parametrize("small", [0.0, 1e-30, 1e-15])
def test_a_tiny_gradient_beside_a_large_one_takes_away_no_more_than_their_conflict(small):
    gradients = torch.tensor([[1.0, 1.0], [-small, 0.0]], dtype=torch.float64)
    expected = [0.0, 1.0] if small else [1.0, 1.0]
    assert pcgrad(gradients).tolist() == pytest.approx(expected, abs=1e-14)


def test_equal_gradients_add_up_and_opposite_ones_cancel():
    g = torch.tensor([1.0, -2.0, 0.5])
    torch.testing.assert_close(pcgrad(torch.stack((g, g))), 2 * g)
    torch.testing.assert_close(pcgrad(torch.stack((g, -g))), torch.zeros(3))
    torch.testing.assert_close(pcgrad(torch.stack((g, -3 * g))), torch.zeros(3))


def test_all_zero_gradients_give_zero():
    assert pcgrad(torch.zeros(3, 4)).tolist() == [0.0] * 4


@given(gradients=gradients_of(st.integers(1, 5)), seed=st.integers(0, 100))
def test_the_weights_of_the_gram_matrix_give_the_same_result(gradients, seed):
    gram = torch.from_numpy(gradients @ gradients.T)
    weights = pcgrad_weights(gram, seeded(seed))
    assert (weights.dtype, weights.shape) == (torch.float64, (len(gradients),))
    found = weights.numpy() @ gradients
    close(found, algorithm1(gradients, drawn_orders(len(gradients), seed)), gradients)


SIZES = [0.0, 1e-300, 1e-160, 1e-30, 1.0, 1e30, 1e154, 1e200, 1e300]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SIZES, repeat=2)))
@pytest.mark.parametrize("kind", ["equal", "opposite", "conflict"])
def test_gradients_of_any_size_give_numbers(a, b, kind):
    """In units of the longer one, beside the algorithm in exact arithmetic."""
    first, second = {
        "equal": ([1, 2], [1, 2]), "opposite": ([1, 2], [-1, -2]), "conflict": ([1, 0], [-1, 1]),
    }[kind]  # fmt: skip
    exact = [[Fraction(a) * x for x in first], [Fraction(b) * x for x in second]]
    found = pcgrad(torch.tensor([[float(x) for x in g] for g in exact], dtype=torch.float64))
    assert torch.isfinite(found).all()
    unit = max(Fraction(a), Fraction(b)) or Fraction(1)
    if min(a, b) / float(unit) < 1e-153:
        exact[a > b] = [Fraction(0)] * 2  # as good as zero beside the other
    for i, value in enumerate(surgery_of_two(*exact)):
        assert abs(Fraction(float(found[i])) - value) <= Fraction(1e-12) * unit


def surgery_of_two(g, h):
    """Algorithm 1 on two gradients, as printed."""

    def projected(u, v):
        inner, square = (sum(x * y for x, y in zip(w, v, strict=True)) for w in (u, v))
        return (
            u
            if inner >= 0 or not square
            else [x - inner / square * y for x, y in zip(u, v, strict=True)]
        )

    return [x + y for x, y in zip(projected(g, h), projected(h, g), strict=True)]


def test_weights_do_not_depend_on_the_unit_by_a_single_bit():
    gram = torch.randn(4, 6, dtype=torch.float64, generator=seeded(1))
    gram = gram @ gram.T - 2
    expected = pcgrad_weights(gram, seeded(2))
    for power in (-900, -3, 0, 700):
        assert torch.equal(pcgrad_weights(gram * 2.0**power, seeded(2)), expected)


@given(gradients=gradients_of(st.integers(2, 5)), seed=st.integers(0, 99), data=st.data())
def test_references_are_projected_against_and_not_followed(gradients, seed, data):
    references = data.draw(st.integers(1, len(gradients) - 1))
    orders = drawn_orders(len(gradients), seed)
    stream = iter(orders)
    gram = gradients @ gradients.T
    followed = len(gradients) - references
    tasks = "abcde"[:followed]
    weights, state = PCGrad().weights(gram, tasks, {"a": 1}, lambda _: next(stream))
    assert len(list(stream)) == references  # no order is drawn for them
    close(weights @ gradients, algorithm1(gradients, orders[:followed]), gradients)
    assert state == {"a": 1}


def test_it_remembers_nothing():
    assert PCGrad().start(["a", "b"]) == {}
