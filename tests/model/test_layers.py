"""Layers that cast their parameters, each time or once."""

import pytest
import torch
from torch import nn

from mtbert.model.layers import LayerNorm, Linear, keep_casts


@pytest.fixture(params=[lambda: Linear(6, 4), lambda: LayerNorm(6)], ids=["linear", "norm"])
def layer(request):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = request.param()
        for parameter in layer.parameters():
            parameter.data.normal_()
    return layer


@torch.no_grad()
def test_what_is_kept_computes_the_same_bits(layer):
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(2)).bfloat16()
    expected = layer(x)
    keep_casts(nn.ModuleList([layer]), torch.bfloat16)
    weight, bias = layer.cast(torch.bfloat16)
    assert layer.cast(torch.bfloat16)[0] is weight  # cast once
    assert torch.equal(layer(x), expected)
    assert (weight.dtype, bias.dtype) == (torch.bfloat16,) * 2
    # Parameters, and what is computed in another dtype, are as before.
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert layer(x.float()).dtype == torch.float32


def test_with_gradients_the_parameters_themselves_are_used(layer):
    keep_casts(layer, torch.bfloat16)
    with torch.no_grad():
        layer.weight.mul_(2)
    out = layer(torch.ones(2, 6, dtype=torch.bfloat16))
    out.sum().backward()
    assert layer.weight.grad.abs().sum() > 0 or isinstance(layer, LayerNorm)
    assert torch.equal(layer.cast(torch.bfloat16)[0], layer.weight.bfloat16())


@torch.no_grad()
def test_weights_that_have_changed_are_taken_when_that_is_said(layer):
    keep_casts(layer, torch.bfloat16)
    layer.weight.mul_(2)
    keep_casts(layer, torch.bfloat16)
    assert torch.equal(layer.cast(torch.bfloat16)[0], layer.weight.bfloat16())
    keep_casts(layer, torch.float32)
    assert layer.cast(torch.float32)[0] is layer.weight
