import copy
import math

import numpy as np
import pytest
import torch
from torch import Generator
from torch.nn import Parameter

from mtbert.errors import UserError
from mtbert.training.optimizer import (
    AdamW,
    optimizer_moments,
    parameter_groups,
    restore_moments,
)

LARGE = 131_072
"""More values than the kernel gives to one thread."""
SETTINGS = {
    "lr": 1e-3,
    "betas": (0.9, 0.999),
    "eps": 1e-6,
    "weight_decay": 0.0,
    "correct_bias": True,
}


class Reference:
    """The course's AdamW for one parameter, in NumPy's float64."""

    def __init__(self, p, lr, betas, eps, weight_decay, correct_bias):
        self.p = np.array(p, np.float64)
        self.m, self.v, self.t = np.zeros_like(self.p), np.zeros_like(self.p), 0
        self.lr, (self.b1, self.b2), self.eps = lr, betas, eps
        self.wd, self.correct_bias = weight_decay, correct_bias

    def step(self, g):
        g = np.asarray(g, np.float64)
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g * g
        step_size = self.lr
        if self.correct_bias:
            step_size *= math.sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
        self.p = self.p - step_size * self.m / (np.sqrt(self.v) + self.eps)
        self.p = self.p - self.lr * self.wd * self.p


def seeded(seed=0):
    return Generator().manual_seed(seed)


def parameter(*shape, seed=0, dtype=torch.float64):
    return Parameter(torch.randn(shape, generator=seeded(seed), dtype=torch.float64).to(dtype))


def contiguous(g):
    return g


def transposed(g):
    """The same values, stored by columns."""
    return g.t().contiguous().t()


def follow(groups, steps, layout=contiguous):
    """Step groups of (parameters, settings) beside their references; returns the pairs."""
    optimizer = AdamW([{"params": params, **settings} for params, settings in groups])
    pairs = [
        (p, Reference(p.detach().numpy(), **(SETTINGS | settings)))
        for params, settings in groups
        for p in params
    ]
    generator = seeded(7)
    for _ in range(steps):
        for p, reference in pairs:
            g = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
            g = g * 10 ** torch.randint(-4, 2, (), generator=generator).item()
            p.grad = layout(g)
            reference.step(g.numpy())
        optimizer.step()
    return pairs


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weight_decay": 0.1},
        {"correct_bias": False},
        {"correct_bias": False, "weight_decay": 0.01, "lr": 1e-2},
        {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.5},
        {"betas": (0.0, 0.0)},
        {"lr": 0.0, "weight_decay": 0.1},
        {"eps": 1.0},
    ],
)
def test_a_thousand_steps_follow_the_courses_variant(changes):
    for p, reference in follow([([parameter(6, 5), parameter(7, seed=1)], changes)], 1000):
        assert np.abs(p.detach().numpy() - reference.p).max() < 1e-10


def test_groups_keep_their_own_settings():
    groups = [
        ([parameter(3, 4)], {"lr": 1e-2, "weight_decay": 0.1}),
        ([parameter(5, seed=1), parameter(2, 2, seed=2)], {"eps": 1e-2, "betas": (0.8, 0.95)}),
        ([parameter(4, seed=3)], {"correct_bias": False}),
    ]
    for p, reference in follow(groups, 1000):
        assert np.abs(p.detach().numpy() - reference.p).max() < 1e-10


def test_float32_stays_near_the_float64_reference():
    params = [parameter(50, 4, dtype=torch.float32), parameter(30, seed=1, dtype=torch.float32)]
    for p, reference in follow([(params, {"weight_decay": 0.01})], 1000):
        np.testing.assert_allclose(p.detach().numpy(), reference.p, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layout", [contiguous, transposed])
def test_parameters_small_and_large(layout):
    params = [
        parameter(2, rows, seed=i)
        for i, rows in enumerate((3, LARGE // 2 - 1, LARGE // 2, 5, LARGE + 7, 40))
    ]
    for p, reference in follow([(params, {"weight_decay": 0.1})], 3, layout):
        assert np.abs(p.detach().numpy() - reference.p).max() < 1e-12


@pytest.mark.parametrize("rows", [5, LARGE])
def test_a_parameter_that_is_not_contiguous(rows):
    p = Parameter(torch.randn(rows, 2, generator=seeded(), dtype=torch.float64).t())
    assert not p.is_contiguous()
    for layout in (contiguous, transposed):
        ((p, reference),) = follow([([p], {"weight_decay": 0.1})], 3, layout)
        assert np.abs(p.detach().numpy() - reference.p).max() < 1e-12


def test_one_step_by_hand():
    """t = 1: m = 0.1 g, v = 0.001 g², and the step is lr g / (|g| + eps / sqrt(0.001))."""
    p = Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    p.grad = torch.tensor([0.5, -4.0], dtype=torch.float64)
    AdamW([p], lr=0.1, weight_decay=0.5).step()
    moved = [1 - 0.1 * 0.5 / (0.5 + 1e-6 / 0.001**0.5), -2 + 0.1 * 4 / (4 + 1e-6 / 0.001**0.5)]
    assert p.tolist() == pytest.approx([0.95 * x for x in moved], rel=1e-14)


def test_it_equals_torchs_adamw_where_the_definitions_agree():
    ours, theirs = parameter(4, 5), parameter(4, 5)
    settings = {"lr": 1e-2, "eps": 0.0, "weight_decay": 0.0}
    optimizers = AdamW([ours], **settings), torch.optim.AdamW([theirs], **settings)
    generator = seeded(1)
    for _ in range(200):
        g = torch.randn(4, 5, generator=generator, dtype=torch.float64)
        ours.grad = theirs.grad = g + 0.1 * g.sign()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_a_parameter_without_gradient_is_untouched():
    p, idle = parameter(3), parameter(3, seed=1)
    before = idle.detach().clone()
    optimizer = AdamW([p, idle], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        p.grad = torch.ones(3, dtype=torch.float64)
        optimizer.step()
    assert torch.equal(idle, before)
    assert idle not in optimizer.state


def test_each_parameter_counts_its_own_steps():
    """One that gets a gradient only now and then is corrected by its own number of steps."""
    often, seldom = parameter(3), parameter(4, seed=1)
    references = [Reference(p.detach().numpy(), **SETTINGS) for p in (often, seldom)]
    optimizer = AdamW([often, seldom])
    generator = seeded(2)
    for step in range(20):
        optimizer.zero_grad()
        for p, reference, every in zip((often, seldom), references, (1, 3), strict=True):
            if step % every == 0:
                p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64)
                reference.step(p.grad.numpy())
        optimizer.step()
    for p, reference in zip((often, seldom), references, strict=True):
        assert np.abs(p.detach().numpy() - reference.p).max() < 1e-12


def test_gradients_are_left_as_they_are():
    p = parameter(3, 3)
    p.grad = torch.randn(3, 3, generator=seeded(1), dtype=torch.float64)
    before = p.grad.clone()
    AdamW([p]).step()
    assert torch.equal(p.grad, before)


def test_a_sparse_gradient_updates_every_row_as_the_dense_one_does():
    dense, sparse = parameter(6, 4), parameter(6, 4)
    optimizers = [AdamW([p], lr=1e-2, weight_decay=0.1) for p in (dense, sparse)]
    generator = seeded(1)
    for step in range(20):
        rows = torch.randint(0, 6, (3,), generator=generator)  # some twice, some never
        values = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        dense.grad = torch.zeros(6, 4, dtype=torch.float64).index_add_(0, rows, values)
        sparse.grad = torch.sparse_coo_tensor(
            rows.unsqueeze(0), values, (6, 4), check_invariants=True
        )
        if step % 2:
            sparse.grad = sparse.grad.coalesce()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(sparse, dense, rtol=1e-14, atol=1e-14)


def test_gradients_are_divided_by_their_scale():
    p, reference = parameter(5, 3), Reference(parameter(5, 3).detach().numpy(), **SETTINGS)
    optimizer, generator = AdamW([p]), seeded(1)
    for scale in (1.0, 4.0, 0.5):
        p.grad = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        reference.step(p.grad.numpy() / scale)
        optimizer.step(grad_scale=torch.tensor(scale))
    assert np.abs(p.detach().numpy() - reference.p).max() < 1e-12


def test_a_reloaded_state_goes_on_as_if_nothing_had_happened():
    p, q = parameter(3, 4, dtype=torch.float32), parameter(3, 4, seed=5, dtype=torch.float32)
    gradients = torch.randn(20, 3, 4, generator=seeded(1))
    first = AdamW([{"params": [p], "names": ["p"], "peak": 0.1}], lr=0.1, weight_decay=0.1)
    for g in gradients[:10]:
        p.grad = g
        first.step()
    q.data = p.detach().clone()
    second = AdamW([q], lr=7.0, correct_bias=False)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.param_groups[0]["peak"] == 0.1
    for g in gradients[10:]:
        for x, optimizer in ((p, first), (q, second)):
            x.grad = g
            optimizer.step()
    assert torch.equal(p, q)


def test_a_closure_is_called_with_gradients_on_and_its_loss_comes_back():
    p = parameter(3)
    optimizer = AdamW([p])

    def closure():
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    expected = p.square().sum().item()
    assert optimizer.step(closure).item() == expected
    assert p.square().sum().item() < expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": -1e-3},
        {"eps": -1e-9},
        {"weight_decay": -0.1},
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, -0.1)},
        {"lr": math.nan},
        {"eps": math.nan},
        {"weight_decay": math.nan},
        {"betas": (math.nan, 0.9)},
        {"lr": 2.0, "weight_decay": 0.5},
    ],
)
def test_settings_out_of_their_range_are_refused(wrong):
    with pytest.raises(ValueError):
        AdamW([parameter(2)], **wrong)


def named(**shapes):
    return {name: Parameter(torch.zeros(shape)) for name, shape in shapes.items()}


def groups_of(shared, heads):
    return parameter_groups(
        shared, heads, learning_rate=1e-5, head_learning_rate=1e-3, weight_decay=0.01
    )


def test_every_parameter_is_in_one_group_and_biases_and_norms_are_not_decayed(tiny_encoder):
    shared = dict(tiny_encoder.named_parameters())
    heads = named(a_weight=(3, 16), a_bias=(3,))
    groups = groups_of(shared, heads)
    found = {}
    for group in groups:
        assert group["lr"] == group["peak"]
        for name, p in zip(group["names"], group["params"], strict=True):
            assert name not in found
            found[name] = (p, group["lr"], group["weight_decay"])
    assert found.keys() == (shared | heads).keys()
    for name, (p, rate, decay) in found.items():
        assert p is (shared | heads)[name]
        assert rate == (1e-3 if name in heads else 1e-5)
        assert decay == (0.0 if name.endswith("bias") or ".norm." in name else 0.01), name


def test_the_optimizer_takes_the_groups_and_keeps_their_names():
    optimizer = AdamW(groups_of(named(w=(2, 2), b=(2,)), named(h=(1, 2))))
    assert [g["names"] for g in optimizer.param_groups] == [["w"], ["b"], ["h"]]


def test_there_is_no_group_without_parameters():
    assert [g["names"] for g in groups_of({}, named(w=(2, 2)))] == [["w"]]


def test_moments_of_another_model_are_refused():
    parameters = fresh("wb")
    optimizer = optimizer_of(parameters, {})
    moments = {f"w.{m}": torch.zeros(3, 3) for m in ("exp_avg", "exp_avg_sq")}
    for steps, tensors in ({"x": 1}, {}), ({"w": 1}, {}), ({}, moments):
        with pytest.raises(UserError, match="the optimizer's moments: not of this model"):
            restore_moments(optimizer, tensors, steps)


def optimizer_of(shared, heads):
    groups = parameter_groups(
        shared, heads, learning_rate=0.1, head_learning_rate=0.2, weight_decay=0.01
    )
    return AdamW(groups)


def fresh(order):
    """The same parameters by name, created in another order."""
    shapes = {"w": (3, 3), "x": (3, 3), "b": (3,), "c": (3,)}
    return {name: Parameter(torch.full(shapes[name], 0.5)) for name in order}


def give_gradients(parameters, seed):
    for name in sorted(parameters):
        generator = torch.Generator().manual_seed(seed + ord(name))
        parameters[name].grad = torch.randn(parameters[name].shape, generator=generator)


def test_moments_go_back_by_name_whatever_the_order_of_the_groups():
    before = fresh("wxbc")
    optimizer = optimizer_of(before, {})
    for seed in (1, 2):
        give_gradients(before, seed)
        optimizer.step()
    tensors, steps = optimizer_moments(optimizer)
    assert steps == dict.fromkeys("wxbc", 2)
    assert set(tensors) == {f"{n}.{m}" for n in "wxbc" for m in ("exp_avg", "exp_avg_sq")}
    after = fresh("cxbw")
    with torch.no_grad():
        for name in after:
            after[name].copy_(before[name])
    restored = optimizer_of({}, after)
    for group in restored.param_groups:
        group["lr"] = 0.1
    restore_moments(restored, {n: t.clone() for n, t in tensors.items()}, steps)
    for parameters, one in ((before, optimizer), (after, restored)):
        give_gradients(parameters, 3)
        one.step()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_parameter_that_never_learned_has_no_moments():
    parameters = fresh("wb")
    optimizer = optimizer_of(parameters, {})
    parameters["w"].grad = torch.ones(3, 3)
    optimizer.step()
    tensors, steps = optimizer_moments(optimizer)
    assert steps == {"w": 1}
    assert set(tensors) == {"w.exp_avg", "w.exp_avg_sq"}
