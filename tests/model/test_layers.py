"""Layers that cast their parameters, each time or once."""

import copy

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


def in_bfloat16(layer):
    return [tensor.to(torch.bfloat16) for tensor in (layer.weight, layer.bias)]


def multiply(layer):
    layer.weight.mul_(2)
    return layer


def load(layer):
    layer.load_state_dict({n: 2 * p for n, p in layer.state_dict().items()})
    return layer


def replace_data(layer):
    layer.bias.data = layer.bias.data + 1
    return layer


def changed_copy(layer):
    twin = copy.deepcopy(layer)
    twin.weight.mul_(2)
    return twin


@torch.no_grad()
@pytest.mark.parametrize("change", [multiply, load, replace_data, changed_copy, copy.deepcopy])
def test_other_weights_than_those_that_were_kept_are_cast_anew(layer, change):
    keep_casts(layer, torch.bfloat16)
    changed = change(layer)
    found, expected = changed.cast(torch.bfloat16), in_bfloat16(changed)
    assert all(map(torch.equal, found, expected))
    keep_casts(changed, torch.bfloat16)
    assert changed.cast(torch.bfloat16)[0] is changed.cast(torch.bfloat16)[0]


@torch.no_grad()
def test_what_was_kept_stays_behind_when_a_layer_moves(layer):
    keep_casts(layer, torch.bfloat16)
    layer.to("meta")
    assert {t.device.type for t in layer.cast(torch.bfloat16)} == {"meta"}


def test_layers_made_in_inference_mode_keep_casts_too():
    with torch.inference_mode():
        layer = Linear(3, 2)
        keep_casts(layer, torch.bfloat16)
        assert layer.cast(torch.bfloat16)[0] is layer.cast(torch.bfloat16)[0]


@torch.no_grad()
def test_the_dtype_of_the_parameters_needs_no_cast(layer):
    keep_casts(layer, torch.float32)
    assert layer.cast(torch.float32)[0] is layer.weight
