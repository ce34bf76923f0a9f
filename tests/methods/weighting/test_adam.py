"""Adam on plain numbers, beside torch's in float64."""

import json

import torch

from mtbert.methods.weighting.adam import begin, descend, values


def test_it_is_torchs_adam():
    generator = torch.Generator().manual_seed(1)
    parameter = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=0.02)
    learned = begin("abc", 0.5)
    for _ in range(60):
        gradient = torch.randn(3, generator=generator, dtype=torch.float64) + 0.3
        parameter.grad = gradient
        optimizer.step()
        learned = descend(learned, dict(zip("abc", gradient.tolist(), strict=True)), 0.02)
        learned = json.loads(json.dumps(learned))
    found = torch.tensor(list(values(learned).values()), dtype=torch.float64)
    torch.testing.assert_close(found, parameter.detach(), rtol=0, atol=1e-13)


def test_a_task_without_a_gradient_stays_as_it_is():
    before = begin("ab", 1.0)
    after = descend(before, {"a": 2.0}, 0.1)
    assert after["b"] == before["b"]
    assert abs(after["a"]["value"] - 0.9) < 1e-7  # a first update is as long as the rate
    assert before == begin("ab", 1.0)
