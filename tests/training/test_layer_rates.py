import pytest
import torch
from torch.nn import Parameter

from mtbert.distributed.processes import ALONE
from mtbert.training.layer_rates import layer_factors
from mtbert.training.learner import make_learner
from mtbert.training.optimizer import AdamW, parameter_groups
from mtbert.training.phases.table import phases_of
from mtbert.training.setup import prepare


def test_factors_fall_from_the_last_layer_to_the_embeddings():
    names = {
        "encoder.embeddings.token.weight": 0.125,
        "encoder.embeddings.norm.bias": 0.125,
        "encoder.layers.0.attention.qkv.weight": 0.25,
        "encoder.layers.1.feed_forward.inner.bias": 0.5,
        "encoder.layers.2.attention.norm.weight": 1.0,
        "encoder.pooler.weight": 1.0,
        "own.sst.layers.0.attention.qkv.weight": 0.25,
    }
    assert layer_factors(names, 3, 0.5) == names


def test_more_than_nine_layers_are_told_apart():
    found = layer_factors([f"encoder.layers.{n}.x" for n in range(12)], 12, 0.9)
    assert list(found.values()) == pytest.approx([0.9 ** (11 - n) for n in range(12)])


def random(*shape, seed):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_steps_are_those_of_an_optimizer_for_each_layer():
    """Beside one optimizer a parameter, each with its own rate and no decay."""
    shapes = {"encoder.embeddings.x": (4, 3), "encoder.layers.0.x": (3, 3),
              "encoder.layers.0.b": (3,), "encoder.layers.1.x": (3, 3)}  # fmt: skip
    trunk = {n: Parameter(random(*s, seed=i)) for i, (n, s) in enumerate(shapes.items())}
    heads = {"heads.a.x": Parameter(random(2, 3, seed=9))}
    factors = layer_factors(trunk, 2, 0.5)
    rates = {"learning_rate": 0.01, "head_learning_rate": 0.3, "weight_decay": 0.1}
    optimizer = AdamW(parameter_groups(trunk, heads, **rates, rate_factors=factors))
    expected = dict(zip(trunk | heads, (0.0025, 0.005, 0.005, 0.01, 0.3), strict=True))
    alone = {n: Parameter(p.detach().clone()) for n, p in (trunk | heads).items()}
    others = [
        AdamW([alone[n]], lr=rate, weight_decay=0.1 if alone[n].ndim > 1 else 0.0)
        for n, rate in expected.items()
    ]
    for step in range(5):
        for number, (name, parameter) in enumerate((trunk | heads).items()):
            parameter.grad = random(*parameter.shape, seed=100 * step + number)
            alone[name].grad = parameter.grad.clone()
        for one in (optimizer, *others):
            one.step()
    for name, parameter in (trunk | heads).items():
        torch.testing.assert_close(parameter, alone[name], rtol=1e-13, atol=1e-15)


def test_without_a_decay_the_groups_are_what_they_were():
    trunk = {"encoder.layers.0.x": Parameter(torch.ones(2, 2))}
    rates = {"learning_rate": 0.1, "head_learning_rate": 0.3, "weight_decay": 0.1}
    plain = parameter_groups(trunk, {}, **rates)
    assert [(g["names"], g["peak"]) for g in plain] == [(["encoder.layers.0.x"], 0.1)]


def test_a_run_scales_the_encoder_and_no_head(toy):
    training = {"layer_decay": 0.5, "learning_rate": 1e-3, "head_learning_rate": 1e-2}
    prepared = prepare(toy.settings(training=training), ALONE)
    (phase,) = phases_of(prepared)
    learner = make_learner(prepared.network, phase, prepared.settings.training)
    peaks = {n: g["peak"] for g in learner.optimizer.param_groups for n in g["names"]}
    assert peaks.keys() == learner.parameters.keys()
    assert peaks["encoder.embeddings.token.weight"] == pytest.approx(2.5e-4)
    assert peaks["encoder.layers.0.feed_forward.inner.weight"] == pytest.approx(5e-4)
    assert peaks["encoder.layers.1.feed_forward.inner.weight"] == 1e-3
    assert peaks["encoder.pooler.bias"] == 1e-3
    assert peaks["heads.sst.linear.weight"] == 1e-2
