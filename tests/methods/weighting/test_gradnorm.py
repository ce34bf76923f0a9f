"""GradNorm beside its own loss, differentiated by autograd in float64."""

import json

import pytest
import torch

from mtbert.methods.base import Progress
from mtbert.methods.weighting.gradnorm import GradNorm, slopes

AT = Progress(0, 1, 0, 1)
TASKS = ["a", "b", "c"]


def problem():
    generator = torch.Generator().manual_seed(4)
    shared = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    targets = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    sizes = torch.tensor([1.0, 20.0, 0.1], dtype=torch.float64)

    def losses():
        return (((inputs @ shared).tanh() - targets).square() * sizes).mean(0)

    return shared, losses


def own_loss(weights, losses, first, shared, alpha):
    """Chen et al. 2018, equation 2, as a function of the weights."""
    lengths = torch.stack(
        [
            torch.autograd.grad(w * loss, shared, create_graph=True)[0].norm()
            for w, loss in zip(weights, losses, strict=True)
        ]
    )
    ratios = losses.detach() / first
    target = (lengths.mean() * (ratios / ratios.mean()) ** alpha).detach()
    return (lengths - target).abs().sum()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.5])
def test_weights_descend_its_own_loss_for_fifty_steps(alpha):
    shared, losses = problem()
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.01)
    first = losses().detach()
    weighting = GradNorm(alpha=alpha)
    state = weighting.start(TASKS)
    for _ in range(50):
        given = weighting.weights(state, AT)
        assert list(given.values()) == pytest.approx(weights.tolist(), abs=1e-12)
        found = losses()
        norms = {
            task: torch.autograd.grad(given[task] * loss, shared, retain_graph=True)[0]
            .norm()
            .item()
            for task, loss in zip(TASKS, found, strict=True)
        }
        seen = dict(zip(TASKS, found.tolist(), strict=True))
        state = json.loads(json.dumps(weighting.observe(state, seen, norms, AT)))

        optimizer.zero_grad()
        own_loss(weights, found, first, shared, alpha).backward(inputs=[weights])
        optimizer.step()
        with torch.no_grad():
            weights *= 3 / weights.sum()
        (slope,) = torch.autograd.grad((losses() * weights.detach()).sum(), shared)
        with torch.no_grad():
            shared -= 0.05 * slope
    assert max(given.values()) > 1.2  # they have moved


def test_the_gradient_is_that_of_autograd():
    shared, losses = problem()
    weights = torch.tensor([0.5, 1.7, 0.8], dtype=torch.float64, requires_grad=True)
    first = torch.tensor([1.0, 9.0, 0.3], dtype=torch.float64)
    found = losses()
    (expected,) = torch.autograd.grad(own_loss(weights, found, first, shared, 1.5), weights)
    norms = [
        torch.autograd.grad(loss, shared, retain_graph=True)[0].norm().item() for loss in found
    ]
    given = slopes(
        dict(zip(TASKS, weights.tolist(), strict=True)),
        dict(zip(TASKS, norms, strict=True)),
        dict(zip(TASKS, (found.detach() / first).tolist(), strict=True)),
        1.5,
    )
    assert list(given.values()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_without_shared_gradients_or_with_one_task_the_weights_stay():
    weighting = GradNorm()
    state = weighting.start(TASKS)
    state = weighting.observe(state, dict.fromkeys(TASKS, 1.0), {"a": 1.0, "b": 5.0, "c": 2.0}, AT)
    assert weighting.observe(state, dict.fromkeys(TASKS, 0.5), None, AT) == state
    assert weighting.observe(state, {"a": 0.5}, {"a": 3.0}, AT) == state


def test_weights_stay_above_zero_and_sum_to_the_number_of_tasks():
    weighting = GradNorm(learning_rate=0.5)
    state = weighting.start(TASKS)
    for _ in range(30):
        norms = {t: w * n for (t, w), n in zip(
            weighting.weights(state, AT).items(), (1e-6, 1.0, 1e6), strict=True)}  # fmt: skip
        state = weighting.observe(state, dict.fromkeys(TASKS, 1.0), norms, AT)
        weights = weighting.weights(state, AT)
        assert min(weights.values()) > 0
        assert sum(weights.values()) == pytest.approx(3)
    assert weights["a"] > weights["c"]


def test_losses_of_zero_count_as_not_having_moved():
    weighting = GradNorm()
    state = weighting.start(["a", "b"])
    for losses in ({"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 0.0}):
        state = weighting.observe(state, losses, {"a": 1.0, "b": 1.0}, AT)
    assert sum(weighting.weights(state, AT).values()) == pytest.approx(2)
