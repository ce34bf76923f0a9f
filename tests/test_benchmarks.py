"""The benchmarks are found, and their peers do what they are said to do."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import aggregation, common, sharing, waiting
from benchmarks import pcgrad as pcgrad_benchmark
from benchmarks.__main__ import BENCHMARKS
from benchmarks.peers import classic_pcgrad, torchjd, trainer
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.surgery import pcgrad

ROOT = Path(__file__).parent.parent


def test_the_command_lists_every_benchmark():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    shown = run.stdout.replace(",", " ").replace(";", " ").split()
    assert set(BENCHMARKS) <= set(shown)
    modules = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    asked = {module for module, _ in BENCHMARKS.values()}
    assert asked == modules - {"__init__", "__main__", "common"}


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_every_benchmark_can_be_called_as_its_entry_says(name):
    module, options = BENCHMARKS[name]
    benchmark = importlib.import_module(f"benchmarks.{module}")
    assert benchmark.ROUNDS > 0
    assert benchmark.__doc__.partition("\n")[0].endswith("?")  # a question a file
    inspect.signature(benchmark.run).bind(1, **options)


def test_a_turn_of_the_aggregators_steps_with_each_of_the_table(monkeypatch):
    """Of two examples a task; the settings of the whole process stay as they are."""
    monkeypatch.setenv("MTBERT_DATA", "packaged")
    monkeypatch.setattr(common, "BATCH", 2)
    monkeypatch.setattr(pcgrad_benchmark, "_dtype", lambda: torch.float32)
    monkeypatch.setattr(pcgrad_benchmark, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(torch, "set_flush_denormal", lambda on: None)
    found = aggregation.members()(0)
    names = [kind().name for kind in AGGREGATORS]
    assert set(found) == {*names, "others"}
    assert all(found[name] > 0 for name in names)


@pytest.mark.parametrize("peer", [classic_pcgrad, torchjd])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.filterwarnings("default")
def test_the_peers_surgery_is_pcgrad(peer, sign):
    """Of two tasks, where the random order plays no role; opposed or agreeing gradients."""
    if peer is torchjd:
        pytest.importorskip("torchjd")
    generator = torch.Generator().manual_seed(1)
    inputs, first = (torch.randn(size, generator=generator) for size in ((8, 5), (5, 3)))
    weight = nn.Parameter(first)
    features = [torch.tanh(inputs @ weight), torch.tanh(inputs[:4] @ weight)]
    losses = [features[0].mean(), sign * features[1].sum()]
    rows = [torch.autograd.grad(x, weight, retain_graph=True)[0].flatten() for x in losses]
    assert (torch.dot(*rows) < 0) == (sign < 0)
    peer.pcgrad_backward(losses, features, [weight])
    expected = pcgrad(torch.stack(rows), torch.Generator().manual_seed(0))
    torch.testing.assert_close(weight.grad.flatten(), expected)


@pytest.mark.filterwarnings("default")
def test_the_trainer_sees_the_examples_in_their_order_and_the_clock_the_measured_steps():
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, num_labels=2,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    examples = [
        {
            "input_ids": torch.full((2 + i % 3,), i + 1),
            "token_type_ids": torch.zeros(2 + i % 3, dtype=torch.long),
            "attention_mask": torch.ones(2 + i % 3, dtype=torch.long),
            "labels": i % 2,
        }
        for i in range(12)
    ]
    seen, told = [], []

    class Clock:
        def start(self):
            told.append(("start", len(seen)))

        def stop(self):
            told.append(("stop", len(seen)))

    def look(module, args, kwargs):
        rows = [int(i) - 1 for i in kwargs["input_ids"][:, 0]]
        seen.append(rows)
        assert kwargs["attention_mask"].sum(1).tolist() == [2 + i % 3 for i in rows]

    model.register_forward_pre_hook(look, with_kwargs=True)
    options = trainer.Options(batch=4, warm_up=1, steps=2, learning_rate=1e-3, seed=1)
    trainer.train(model, examples, options, Clock())
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert told == [("start", 1), ("stop", 3)]


def test_batches_grouped_by_length_are_spread_over_the_epoch():
    pytest.importorskip("transformers")
    lengths = np.random.default_rng(0).integers(4, 60, size=640)
    options = trainer.Options(batch=8, warm_up=2, steps=10, learning_rate=1e-3, seed=1)
    order = trainer.grouped_order(lengths, options, 0)
    assert order == trainer.grouped_order(lengths, options, 0)
    assert order != trainer.grouped_order(lengths, options, 1)
    batches = lengths[order].reshape(12, 8)
    assert (np.array(order[:16]) == np.array(order[16:32])).all()  # the warm-up's
    assert len(set(order[16:])) == 80
    within = np.ptp(batches, axis=1)
    assert np.median(within) < np.ptp(lengths) / 4
    assert np.ptp(batches.mean(axis=1)) > np.ptp(lengths) / 3  # short ones and long ones


def test_each_sharing_scheme_is_measured_learning_and_if_it_can_be_frozen():
    assert sorted(sharing.contestants()) == sorted(
        ["hard", "soft"] + [n + f for n in ("top_layers", "lora", "pals") for f in ("", ", frozen")]
    )


def test_waiting_is_measured_alone_and_beside_others(monkeypatch):
    """In turns; each value beside the library's own, in the same place."""
    seconds = {"300000": 8.0, "10000": 4.0, "1000": 2.0, "0": 1.0}
    alive = []

    class Busy:
        def __init__(self, command):
            alive.append(self)

        def kill(self):
            alive.remove(self)

        def wait(self):
            pass

    def train(spins, number):
        return {"seconds": seconds[spins] * (1 + len(alive)), "processor": 1.0, "others": 0.0}

    monkeypatch.setattr(waiting.subprocess, "Popen", Busy)
    monkeypatch.setattr(waiting, "_train", train)
    found = waiting.run(1)
    assert not alive
    middle, faster = found.summary["medians"], found.summary["faster"]
    assert middle["none, alone"]["seconds"] == 1
    assert middle["none, beside two busy processes"]["seconds"] == 3
    assert faster["1,000 (mtbert), alone"]["median"] == pytest.approx(4)
    assert faster["none, beside two busy processes"]["median"] == pytest.approx(8)
