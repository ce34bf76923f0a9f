import json

import numpy as np
import pytest
import torch
from support.gradient_sets import NAMES, REGULAR, assert_close, factors, gram_of, in_order, random

from mtbert.methods.aggregation.gradvac import GradVac

each = pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)


def algorithm1(gradients, orders, targets, beta):
    """Wang et al. 2021, Algorithm 1, as printed, on whole vectors; targets move in place."""
    total = np.zeros(gradients.shape[1])
    for i, order in enumerate(orders):
        g = gradients[i].copy()
        for j in order:
            if j == i:
                continue
            other = gradients[j]
            lengths = np.linalg.norm(g), np.linalg.norm(other)
            cosine, target = g @ other / lengths[0] / lengths[1], targets[i, j]
            if cosine < target:
                sine, wanted = np.sqrt(1 - cosine**2), np.sqrt(1 - target**2)
                g += lengths[0] * (target * sine - cosine * wanted) / (lengths[1] * wanted) * other
            targets[i, j] = (1 - beta) * target + beta * cosine
        total += g
    return total


def run(gradients_by_step, orders_by_step, beta):
    """Directions and the last state of a series of steps; the state goes through JSON."""
    method, state, found = GradVac(beta=beta), {}, []
    for gradients, orders in zip(gradients_by_step, orders_by_step, strict=True):
        stream = iter(orders)
        weights, state = method.weights(
            gram_of(gradients), NAMES[: len(gradients)], state, lambda _, s=stream: next(s)
        )
        state = json.loads(json.dumps(state))
        found.append(np.array(weights) @ gradients)
    return found, state


def series(tasks, steps=8):
    """Gradients of several steps, of which some agree, and an order a task and step."""
    generator = np.random.default_rng(tasks)
    shared = generator.normal(size=6)
    steps_ = [random(tasks, 6, seed) + shared * (seed % 3) for seed in range(steps)]
    orders = [[generator.permutation(tasks).tolist() for _ in range(tasks)] for _ in steps_]
    return steps_, orders


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_it_is_algorithm_1_on_whole_vectors_step_after_step(tasks, beta):
    steps, orders = series(tasks)
    targets = np.zeros((tasks, tasks))
    found, state = run(steps, orders, beta)
    for gradients, order, direction in zip(steps, orders, found, strict=True):
        assert_close(direction, algorithm1(gradients, order, targets, beta), gradients, 10)
    for i, j in zip(*np.nonzero(~np.eye(tasks, dtype=bool)), strict=True):
        assert state[NAMES[i]][NAMES[j]] == pytest.approx(targets[i, j], abs=1e-9)


@pytest.mark.parametrize("tasks", [2, 3, 4])
def test_it_is_torchjds_step_after_step(monkeypatch, tasks):
    """In the same orders; torchjd draws one of the others alone."""
    from torchjd.aggregation import GradVac as Theirs

    steps, orders = series(tasks)
    found, _ = run(steps, orders, 0.5)
    drawn = iter([
        torch.tensor([[j for j in range(tasks) if j != i].index(k) for k in order if k != i])
        for step in orders for i, order in enumerate(step)
    ])  # fmt: skip
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: next(drawn))
    theirs = Theirs(beta=0.5, eps=0.0)
    for gradients, direction in zip(steps, found, strict=True):
        assert_close(direction, theirs(torch.from_numpy(gradients)).numpy(), gradients, 10)


@each
def test_with_targets_of_zero_it_is_pcgrad(gradients):
    assert factors("gradvac", gradients, beta=0) == pytest.approx(factors("pcgrad", gradients))
    assert factors("gradvac", gradients) == pytest.approx(factors("pcgrad", gradients))


def test_two_gradients_that_agree_less_than_usual_are_turned_to_their_target():
    gradients = np.array([[1.0, 0.0], [0.6, 0.8]])
    state = {"a": {"b": 0.8}, "b": {"a": 0.0}}
    weights, later = GradVac(beta=0.25).weights(gram_of(gradients), "ab", state, in_order)
    assert weights[0] == pytest.approx(1.0)
    turned = gradients[0] + (weights[1] - 1) * gradients[1]
    assert turned @ gradients[1] / np.linalg.norm(turned) == pytest.approx(0.8)
    assert later["a"]["b"] == pytest.approx(0.75)
    assert later["b"]["a"] == pytest.approx(0.15)
    assert state == {"a": {"b": 0.8}, "b": {"a": 0.0}}


def test_tasks_that_are_absent_keep_their_targets_and_zero_gradients_make_none():
    state = {"a": {"b": 0.5, "c": 0.25}, "b": {"a": 0.1}, "c": {"a": 0.2}}
    _, later = GradVac().weights(gram_of(random(2, 3, 0)), "ab", state, in_order)
    assert later["a"]["c"] == 0.25
    assert later["c"] == {"a": 0.2}
    assert later["a"]["b"] != 0.5
    _, later = GradVac().weights(np.diag([1.0, 0.0]), "ab", {}, in_order)
    assert later == {}


def test_equal_gradients_for_a_thousand_steps_and_then_others_give_numbers():
    state, gram = {}, np.ones((2, 2))
    for _ in range(1000):
        weights, state = GradVac().weights(gram, "ab", state, in_order)
        assert weights == [1.0, 1.0]
    weights, state = GradVac().weights(np.array([[1.0, 0.5], [0.5, 1.0]]), "ab", state, in_order)
    assert np.isfinite(weights).all()
    assert 0 < state["a"]["b"] < 1
