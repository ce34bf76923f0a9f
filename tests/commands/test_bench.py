"""`mtbert bench` on a tiny encoder: what it tells, and that it leaves nothing behind."""

import json

import numpy as np
import pytest
import torch
from support.toy import command_line

from mtbert.cli import main
from mtbert.commands import bench as module
from mtbert.commands.bench import bench_table, step_flops
from mtbert.hardware import machine
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(machine, "_SECONDS", 1e-4)
    monkeypatch.setattr(machine, "SHAPES", ((8, 16), (16, 8)))


def test_flops_are_those_that_torch_counts():
    """Forward and backward of a layer stack, by the counter of torch, on one sequence."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertModel

    sizes = {
        "vocab_size": 40,
        "hidden_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "max_position_embeddings": 64,
    }
    theirs = BertModel(BertConfig(**sizes), add_pooling_layer=False).eval()
    theirs.set_attn_implementation("eager")
    hidden = torch.randn(1, 48, 128, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        theirs.encoder(hidden)[0].sum().backward()
    found = step_flops(BertEncoder(EncoderConfig(**sizes)), np.array([48]))
    # We count biases and norms like matrices: less than 1 % at this width.
    assert found == pytest.approx(counter.get_total_flops(), rel=0.01)
    encoder = BertEncoder(EncoderConfig(**sizes))
    assert step_flops(encoder, np.array([5, 7])) == pytest.approx(
        step_flops(encoder, np.array([5])) + step_flops(encoder, np.array([7]))
    )


def test_what_is_used_is_told(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "_MEASURED", ("training.epochs=1", "training.steps_per_epoch=2"))
    monkeypatch.setattr(module, "_WARM_UP", ("training.epochs=1", "training.steps_per_epoch=1"))
    with command_line(tmp_path):
        overrides = (f"encoder.path={toy.encoder}", "encoder.max_length=16")
        assert main(["bench", "--json", *overrides, "training.precision=fp32"]) == 0
        assert list(tmp_path.iterdir()) == []
    found = json.loads(capsys.readouterr().out)
    assert found["precision"] == "fp32"
    assert found["precision_reason"] == "asked for"
    assert found["threads"] == torch.get_num_threads()
    assert found["versions"]["torch"] == torch.__version__
    speeds = ("training_tokens_per_second", "evaluation_sentences_per_second", "share_of_ceiling")
    assert all(found[key] > 0 for key in speeds)
    assert found["share_of_ceiling"] == pytest.approx(
        found["training_gflops"] / found["ceiling_gflops"]["fp32"]
    )
    text = bench_table(found | {"others": 0.0})
    assert "real tokens/s" in text
    assert "of the fp32 ceiling" in text
    assert "Other processes" not in text
    assert "50% of the processor" in bench_table(found | {"others": 0.5})


def test_a_wrong_override_is_refused(refuse):
    refuse("training.epoch: unknown key", "bench", "training.epoch=3")


def test_products_have_a_speed_for_each_shape_and_kind():
    for kind in machine.product_kinds():
        found = machine.product_speeds(kind)
        assert list(found) == ["8 -> 16", "16 -> 8"]
        assert all(speed > 0 for speed in found.values())
    assert set(machine.ceilings()) <= {"fp32", "bf16"}
