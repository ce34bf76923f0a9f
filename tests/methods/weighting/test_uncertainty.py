"""Uncertainty weighting beside the joint objective, differentiated by autograd in float64."""

import json
import math

import pytest
import torch

from mtbert.methods.base import Progress
from mtbert.methods.weighting.uncertainty import Uncertainty

AT = Progress(0, 1, 0, 1)
TASKS = ["classes", "small", "large"]


def problem():
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    classes = (inputs[:, 0] > 0).long()
    values = inputs[:, 1] + 0.1 * torch.randn(40, generator=generator, dtype=torch.float64)
    start = 0.3 * torch.randn(5, 4, generator=generator, dtype=torch.float64)

    def losses(weights):
        outputs = inputs @ weights
        return [
            torch.nn.functional.cross_entropy(outputs[:, :2], classes),
            (outputs[:, 2] - values).square().mean(),
            (outputs[:, 3] - 30 * values).square().mean(),
        ]

    return start, losses


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_it_is_the_joint_descent_of_network_and_log_variances(rate):
    start, losses = problem()
    joint, s = start.clone().requires_grad_(), torch.zeros(3, dtype=torch.float64).requires_grad_()
    network = torch.optim.SGD([joint], lr=1e-3)
    variances = torch.optim.Adam([s], lr=rate)
    ours, weighting = start.clone().requires_grad_(), Uncertainty(learning_rate=rate)
    state = weighting.start(TASKS)
    for _ in range(50):
        network.zero_grad()
        variances.zero_grad()
        (torch.exp(-s) * torch.stack(losses(joint)) + s / 2).sum().backward()
        network.step()
        variances.step()

        factors, found = weighting.weights(state, AT), losses(ours)
        total = sum(factors[task] * loss for task, loss in zip(TASKS, found, strict=True))
        (slope,) = torch.autograd.grad(total, ours)
        with torch.no_grad():
            ours -= 1e-3 * slope
        seen = {task: loss.item() for task, loss in zip(TASKS, found, strict=True)}
        state = json.loads(json.dumps(weighting.observe(state, seen, None, AT)))
    assert [state[t]["value"] for t in TASKS] == pytest.approx(s.tolist(), rel=0, abs=1e-12)
    torch.testing.assert_close(ours, joint, rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", [0.05, 0.7, 40.0])
def test_the_forms_for_classes_and_for_regression_lead_to_the_same_factor(loss):
    """exp(-s) L + s/2 with factor exp(-s), exp(-s) L / 2 + s/2 with factor exp(-s) / 2."""
    weighting = Uncertainty(learning_rate=0.02)
    state = weighting.start(["a"])
    for _ in range(4000):
        state = weighting.observe(state, {"a": loss}, None, AT)
    grid = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    regression = grid[(torch.exp(-grid) * loss / 2 + grid / 2).argmin()].item()
    factor = weighting.weights(state, AT)["a"]
    assert factor == pytest.approx(1 / (2 * loss), rel=1e-3)
    assert factor == pytest.approx(math.exp(-regression) / 2, rel=1e-3)


def test_a_loss_of_zero_raises_a_factor_no_further_than_to_a_bound():
    weighting = Uncertainty(learning_rate=5.0)
    state = weighting.start(["a"])
    for _ in range(50):
        state = weighting.observe(state, {"a": 0.0}, None, AT)
    assert weighting.weights(state, AT) == {"a": math.exp(20)}
