"""Compiled layers compute what the plain ones compute, dropout included."""

import pytest
import torch
from support.gradient_cases import batches, class_weights, make_network, sources
from support.toy import records
from torch import Generator, nn

from mtbert.model.attention import Layout
from mtbert.model.encoders.execution import fit_encoder
from mtbert.training.gradients import GradientOptions, compute_gradients

pytestmark = pytest.mark.filterwarnings("default")  # the compiler has warnings of its own


@pytest.fixture
def no_code(monkeypatch):
    """Let torch.compile trace and cut graphs as ever, but run them without making kernels."""
    made = []

    def traced(module, *, mode, dynamic):
        made.append((mode, dynamic))
        module._compiled_call_impl = torch.compile(
            module._call_impl, backend="aot_eager", dynamic=dynamic
        )

    torch.compiler.reset()
    monkeypatch.setattr(nn.Module, "compile", traced)
    yield made
    torch.compiler.reset()


def gradients(step, seed, **options):
    network = make_network(torch.float64)
    fit_encoder(network.encoder, torch.float64, torch.device("cpu"), **options)
    found = compute_gradients(
        network, batches(step), sources(torch.float64), class_weights=class_weights(torch.float64),
        shared=list(network.partition.shared.values()),
        options=GradientOptions(dropout=Generator().manual_seed(seed)),
    )  # fmt: skip
    named = {n: p.grad.to_dense() for n, p in network.named_parameters() if p.grad is not None}
    return named | found.losses


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_losses_and_gradients_are_those_of_the_plain_layers(no_code, mode):
    for seed, step in enumerate(("uneven", "empty for all")):
        expected, found = gradients(step, seed), gradients(step, seed, compiled=mode)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-11)
    assert set(no_code) == {(mode, mode == "default")}


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_torch_does_not_give_up_after_a_few_shapes(no_code, mode, caplog):
    network = make_network(torch.float32)
    encoder = network.encoder
    fit_encoder(encoder, torch.float32, torch.device("cpu"), compiled=mode)
    sizes = set()
    for chunks in range(1, 13):
        layout = Layout([30] * 2 * chunks, torch.device("cpu"), bucketed=encoder.bucketed)
        ids = torch.ones(60 * chunks, dtype=torch.int64)
        encoder.encode(ids, torch.zeros_like(ids), layout, Generator().manual_seed(0))
        sizes.add(layout.size)
    assert len(sizes) == 12
    assert "recompile_limit" not in caplog.text


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "tasks", "surgery"),
    [("default", (), "pcgrad"), ("reduce-overhead", ("sst",), "none")],
)
def test_a_run_with_real_kernels_goes_as_without(toy, tmp_path, mode, tasks, surgery):
    for name in ("none", mode):
        toy.train(tmp_path / name, *tasks, training={"compile": name, "surgery": surgery})
    plain, compiled = (records(tmp_path / name, "train") for name in ("none", mode))
    for a, b in zip(plain, compiled, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)
        assert b["gradient_norm"] == pytest.approx(a["gradient_norm"], rel=1e-3)
