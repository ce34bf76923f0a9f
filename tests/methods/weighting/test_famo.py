"""FAMO beside autograd in float64, on losses that a network could have."""

import json
import math

import pytest
import torch

from mtbert.methods.base import Progress
from mtbert.methods.weighting.famo import FAMO, slopes

AT = Progress(0, 1, 0, 1)
TASKS = ["a", "b", "c"]


def test_the_slopes_are_those_of_the_softmax_by_autograd():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, generator=generator, dtype=torch.float64, requires_grad=True)
    fallen = torch.randn(3, generator=generator, dtype=torch.float64)
    (expected,) = torch.autograd.grad(
        (logits.softmax(0) * fallen).sum() + 0.05 * logits.square().sum() / 2, logits
    )
    by_task = (dict(zip(TASKS, x.tolist(), strict=True)) for x in (logits, fallen))
    assert list(slopes(*by_task, 0.05).values()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_weights_and_logits_are_those_of_autograd_and_torchs_adam_for_fifty_steps():
    """The weights make the gradient that of sum z log L, the logits descend as the authors' do."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.025, weight_decay=0.01)
    weighting, before = FAMO(), None
    state = weighting.start(TASKS)
    for step in range(50):
        noise = torch.rand(3, generator=generator, dtype=torch.float64)
        losses = torch.tensor([0.5, 20.0, 0.01], dtype=torch.float64) * (noise + 10 / (step + 1))
        weights = list(weighting.weights(state, AT).values())
        if before is not None:
            reference = before.clone().requires_grad_()
            (wanted,) = torch.autograd.grad(
                (logits.detach().softmax(0) * reference.log()).sum(), reference
            )
            assert weights == pytest.approx((3 * wanted / wanted.sum()).tolist(), rel=1e-11)
            (logits.grad,) = torch.autograd.grad(
                logits.softmax(0), logits, before.log() - losses.log()
            )
            optimizer.step()
        before = losses
        seen = dict(zip(TASKS, losses.tolist(), strict=True))
        state = json.loads(json.dumps(weighting.observe(state, seen, None, AT)))
    found = [state["logits"][task]["value"] for task in TASKS]
    assert found == pytest.approx(logits.tolist(), rel=0, abs=1e-12)
    assert max(map(abs, found)) > 0.01


def test_a_task_whose_loss_falls_faster_counts_less():
    weighting = FAMO()
    state = weighting.start(["fast", "slow"])
    for step in range(40):
        losses = {"fast": math.exp(-0.2 * step), "slow": math.exp(-0.01 * step)}
        state = weighting.observe(state, losses, None, AT)
    assert state["logits"]["fast"]["value"] < 0 < state["logits"]["slow"]["value"]


def test_until_every_task_has_been_seen_the_weights_are_one():
    weighting = FAMO()
    state = weighting.start(["a", "b"])
    for losses in ({"a": 5.0}, {"a": 4.0}):
        state = weighting.observe(state, losses, None, AT)
        assert weighting.weights(state, AT) == {"a": 1.0, "b": 1.0}
    state = weighting.observe(state, {"b": 0.0}, None, AT)
    weights = weighting.weights(state, AT)
    assert sum(weights.values()) == pytest.approx(2)
    assert weights["b"] > weights["a"]
