"""A step that does not fit into memory: advice, or the same result in smaller parts."""

import json
import logging
from dataclasses import replace

import pytest
import torch
from support.memory import AUTO, ERRORS, PARAMETERS, Short
from support.toy import command_line, model_bytes, results, write_encoder

from mtbert.cli import main
from mtbert.hardware.memory import OutOfMemory
from mtbert.training import step as computation
from mtbert.training.optimizer import AdamW
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer


@pytest.fixture
def short(monkeypatch):
    return lambda *args, **options: Short(monkeypatch, *args, **options)


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("task", ["sst", "para", "sts"])
@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
def test_auto_is_bit_for_bit_the_run_with_the_parts_that_it_finds(
    toy, tmp_path, short, monkeypatch, where, task, surgery, caplog
):
    training = {"surgery": surgery, "epochs": 1}
    toy.train(tmp_path / "known", training={**training, "accumulate": 2})
    found = short(2, where, task)
    with caplog.at_level(logging.WARNING):
        summary = toy.train(tmp_path / "auto", training={**training, **AUTO})
    assert found.raised == 1
    assert (summary["accumulate"], summary["out_of_memory"]) == (2, 1)
    assert caplog.text.count("now computed") == 1
    assert "step 1: out of memory: CUDA out of memory. Tried to allocate 2.00 GiB; batches are " \
        "now computed in 2 parts instead of 1" in caplog.text  # fmt: skip
    assert model_bytes(tmp_path / "auto") == model_bytes(tmp_path / "known")
    for file in ("metrics.jsonl", "predictions/sst-dev.jsonl"):
        texts = [(tmp_path / name / file).read_text() for name in ("auto", "known")]
        assert texts[0] == texts[1]


@PARAMETERS
def test_parts_are_doubled_until_they_fit_and_stay(toy, tmp_path, short, error):
    found = short(1, "backward", error=error)
    summary = toy.train(tmp_path / "run", training={**AUTO, "epochs": 1})
    assert found.raised == 2  # with 4 and with 2 examples, at the first step alone
    assert (summary["accumulate"], summary["out_of_memory"]) == (4, 2)


def test_a_step_in_the_middle_is_computed_again_as_a_whole(toy, tmp_path, monkeypatch):
    """Nothing of the attempt that failed is left: not in the gradients, not in the state."""
    training = {"surgery": "pcgrad", "epochs": 1}
    compute, calls = computation.compute_gradients, []

    def failing(network, step, *args, options, **rest):
        calls.append(options.accumulate)
        found = compute(network, step, *args, options=options, **rest)
        if len(calls) == 2:
            raise ERRORS[0]
        return found

    def switching(network, step, *args, options, **rest):
        calls.append(options.accumulate)
        options = replace(options, accumulate=1 if len(calls) == 1 else 2)
        return compute(network, step, *args, options=options, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(computation, "compute_gradients", failing)
        toy.train(tmp_path / "auto", training={**training, **AUTO})
    assert calls == [1, 1, 2, 2]
    calls.clear()
    monkeypatch.setattr(computation, "compute_gradients", switching)
    toy.train(tmp_path / "known", training=training)
    assert model_bytes(tmp_path / "auto") == model_bytes(tmp_path / "known")


@pytest.mark.parametrize("accumulate", [1, 2])
@PARAMETERS
def test_without_auto_the_run_stops_with_advice_before_weights_change(
    toy, tmp_path, short, monkeypatch, capsys, error, accumulate
):
    training = {"epochs": 1, "checkpoint_every": 1, "accumulate": accumulate}
    train_step, updates, step = Trainer._train_step, [], AdamW.step
    found = short(100, "backward", "para", error)

    def later(self, *args):
        found.examples = 100 if self.state.step < 2 else 1
        train_step(self, *args)

    def counting(self, **options):
        updates.append(1)
        return step(self, **options)

    monkeypatch.setattr(Trainer, "_train_step", later)
    monkeypatch.setattr(AdamW, "step", counting)
    config = toy.config(tmp_path / "toy.json", training=training)
    command = ["--quiet", "train", str(config), "--output", str(tmp_path / "run")]
    with command_line(tmp_path):
        assert main(command) == 2
    told = capsys.readouterr().err
    assert len(updates) == 2
    assert told.startswith("mtbert: step 3: out of memory: ")
    assert told.count("\n") == 1
    assert "Go on by --resume with `training.accumulate: auto`" in told
    for key in ("training.batch_size", "encoder.max_length", "training.precision: bf16"):
        assert key in told
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]
    with command_line(tmp_path):
        assert main([*command, "training.accumulate=auto", "--resume"]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["steps"], summary["accumulate"], len(updates)) == (3, 4, 3)


def test_one_example_at_a_time_that_does_not_fit_stops_the_run(toy, tmp_path, short):
    found = short(0, "forward", "sts")
    with pytest.raises(OutOfMemory, match="step 1: out of memory with one example at a time") as e:
        toy.train(tmp_path / "run", training={**AUTO, "epochs": 1})
    assert found.raised == 3  # 4, 2, 1
    assert "accumulate" not in str(e.value)
    assert "batch_size" not in str(e.value)


@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=["64", "32"]
)
def test_auto_gives_the_gradients_of_whole_batches(
    toy, tmp_path, short, monkeypatch, surgery, dtype, tolerance
):
    """Class weights, loss factors of method 1, three tasks; without dropout."""
    start_phase, total_norm, taken = Trainer._start_phase, computation.total_norm, []
    tasks = {name: {**task, "dropout": 0} for name, task in toy.tree()["tasks"].items()}
    tasks["sst"] |= {"class_weights": [0.3, 1.7], "loss_weight": 0.5}
    training = {"surgery": surgery, "batching": "method1", "steps_per_epoch": 1, "epochs": 1}
    still = write_encoder(
        tmp_path / "still", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    changes = {"encoder": {"path": str(still)}, "tasks": tasks}

    def start_in_dtype(self, data):
        self.network.encoder.compute_dtype = dtype
        self.network.to(dtype)
        return start_phase(self, data)

    def taking(parameters):
        parameters = list(parameters)
        gradients = [p.grad for p in parameters if p.grad is not None]
        taken.append(torch.cat([g.to_dense().flatten() for g in gradients]))
        return total_norm(parameters)

    monkeypatch.setattr(Trainer, "_start_phase", start_in_dtype)
    monkeypatch.setattr(computation, "total_norm", taking)
    toy.train(tmp_path / "whole", training=training, **changes)
    found = short(1, "backward")
    summary = toy.train(tmp_path / "auto", training={**training, **AUTO}, **changes)
    assert (found.raised, summary["accumulate"]) == (2, 4)
    whole, parts = taken
    assert whole.dtype == parts.dtype == dtype
    assert not torch.equal(whole, parts)
    assert (whole - parts).norm() <= tolerance * whole.norm()


@pytest.mark.parametrize("memory_at", [1, 3])
def test_a_run_resumed_goes_on_with_the_parts_that_were_found(
    toy, tmp_path, short, monkeypatch, memory_at
):
    """Bit for bit, though memory would suffice now."""
    changes = {"training": {"surgery": "pcgrad", "checkpoint_every": 1, **AUTO}}
    train_step, after_step = Trainer._train_step, Trainer._after_step
    found = short(100, "backward")
    stops = []

    def now_short(self, *args):
        found.examples = 2 if self.state.step + 1 == memory_at else 100
        train_step(self, *args)

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested = True
        stops.append(self.state.parts)

    monkeypatch.setattr(Trainer, "_train_step", now_short)
    toy.train(tmp_path / "whole", **changes)
    monkeypatch.setattr(Trainer, "_after_step", stopping)
    for _ in range(6):
        with pytest.raises(Interrupted):
            toy.train(tmp_path / "parts", resume=True, **changes)
    toy.train(tmp_path / "parts", resume=True, **changes)
    assert stops == [1 + (step >= memory_at) for step in range(1, 7)]
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def dropout_seeds(toy, folder, monkeypatch, **training):
    """What dropout is drawn from in each step of a run."""
    seeds, compute = [], computation.compute_gradients

    def noting(*args, options, **rest):
        seeds.append(options.dropout.initial_seed())
        return compute(*args, options=options, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(computation, "compute_gradients", noting)
        toy.train(folder, training=training)
    return seeds


def test_every_step_has_a_dropout_of_its_own(toy, tmp_path, monkeypatch):
    seeds = dropout_seeds(toy, tmp_path / "a", monkeypatch)
    assert len(set(seeds)) == len(seeds) == 6
    assert dropout_seeds(toy, tmp_path / "b", monkeypatch) == seeds
