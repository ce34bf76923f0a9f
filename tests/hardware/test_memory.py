"""Memory that runs out: advice, or the same result in smaller parts."""

import json
import logging
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.toy import Toy, command_line, model_bytes, results, write_encoder

from mtbert.batch import TokenBatch
from mtbert.cli import main
from mtbert.errors import UserError
from mtbert.hardware import memory
from mtbert.hardware.memory import Memory, OutOfMemory, advising, ran_out, size
from mtbert.inference import predict
from mtbert.inference.model import MultitaskModel
from mtbert.model.network import MultitaskNetwork
from mtbert.training import gradients
from mtbert.training import step as computation
from mtbert.training.optimizer import AdamW
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate"
                 " memory: you tried to allocate 4000000000000 bytes."),
]  # fmt: skip
PARAMETERS = pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
AUTO = {"accumulate": "auto"}


class Short:
    """Memory for so many examples at a time: more of them raise, wherever that is.

    Attributes:
        raised: how often memory ran out.
    """

    def __init__(self, patch, examples, where="forward", task=None, error=ERRORS[0]):
        self.examples, self.task, self.error, self.raised = examples, task, error, 0
        forward = MultitaskNetwork.forward

        def short(network, name, inputs, generator=None):
            if isinstance(inputs, TokenBatch):
                count = len(inputs.lengths) // network.tasks[name].sequences_per_example
            else:
                count = len(inputs)
            full = self.task in (None, name) and count > self.examples
            training = generator is not None
            if full and where == ("forward" if training else "evaluation"):
                self.fail()
            outputs = forward(network, name, inputs, generator)
            if full and training and where == "backward":
                outputs.register_hook(lambda gradient: self.fail())
            return outputs

        patch.setattr(MultitaskNetwork, "forward", short)

    def fail(self):
        self.raised += 1
        raise self.error


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


@PARAMETERS
@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_evaluation_that_does_not_fit_is_computed_in_smaller_batches(
    toy, tmp_path, short, caplog, error, mode
):
    changes = {"encoder": {"mode": mode}, "training": {"epochs": 2, "precision": "fp32"}}
    whole = toy.train(tmp_path / "whole", **changes)
    found = short(3, "evaluation", error=error)
    with caplog.at_level(logging.WARNING):
        summary = toy.train(tmp_path / "run", **changes)
    assert found.raised > 1
    assert summary["evaluation_tokens"] < 8192 == whole["evaluation_tokens"]
    told = re.findall(r"computed in batches of (\d+) tokens instead of (\d+)", caplog.text)
    assert 1 <= len(told) <= 3  # once a task at the most, and not again in the second epoch
    assert int(told[-1][0]) == summary["evaluation_tokens"]
    assert summary["dev"] == {
        task: pytest.approx(metrics, abs=1e-5)  # other batches, other rounding
        for task, metrics in whole["dev"].items()
    }


def test_features_that_do_not_fit_are_computed_in_smaller_batches(toy, tmp_path, monkeypatch):
    represent, raised = MultitaskNetwork.represent, []

    def short(self, task, batch, generator=None):
        if len(batch.lengths) > 6:
            raised.append(task)
            raise ERRORS[0]
        return represent(self, task, batch, generator)

    changes = {"encoder": {"mode": "frozen"}, "training": {"epochs": 1}}
    whole = toy.train(tmp_path / "whole", **changes)
    monkeypatch.setattr(MultitaskNetwork, "represent", short)
    summary = toy.train(tmp_path / "run", **changes)
    assert raised
    assert summary["dev"]["sst"] == pytest.approx(whole["dev"]["sst"], abs=1e-6)


def test_the_token_budget_that_was_found_stays_after_a_resume(toy, tmp_path, short, monkeypatch):
    changes = {"training": {"epochs": 3}}
    found = short(3, "evaluation", "sts")
    toy.train(tmp_path / "whole", **changes)
    first = found.raised
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested = True

    monkeypatch.setattr(Trainer, "_after_step", stopping)
    while not (tmp_path / "parts" / "summary.json").exists():
        try:
            toy.train(tmp_path / "parts", resume=True, **changes)
        except Interrupted:
            continue
    assert found.raised == 2 * first  # as often, not once a process
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_an_evaluation_that_never_fits_stops_the_run_with_advice(toy, tmp_path, short):
    short(0, "evaluation", "para")
    told = "task para: out of memory when answering one example at a time: CUDA out of memory"
    with pytest.raises(OutOfMemory, match=told):
        toy.train(tmp_path / "run", training={"epochs": 1})
    assert not (tmp_path / "run" / "summary.json").exists()


@PARAMETERS
def test_predictions_that_do_not_fit_are_computed_in_smaller_batches(finished, short, error):
    model = MultitaskModel.from_pretrained(finished)
    texts = [" ".join(["the good film"] * (1 + n % 3)) for n in range(40)]
    whole = [p.score for p in model.predict("sst", texts)]
    short(2, "evaluation", error=error)
    assert [p.score for p in model.predict("sst", texts)] == pytest.approx(whole, abs=1e-6)
    with pytest.raises(OutOfMemory, match="one example at a time"):
        short(0, "evaluation", error=error)
        model.predict("sst", texts)


def test_the_budget_of_a_stream_is_found_once(finished, short, monkeypatch):
    monkeypatch.setattr(predict, "_STREAM_CHUNK", 10)
    found = short(3, "evaluation")
    model = MultitaskModel.from_pretrained(finished)
    model.predict("sst", ["the good film"] * 10)
    once = found.raised
    found.raised = 0
    model.predict("sst", ["the good film"] * 100)
    assert found.raised == once


def test_what_runs_out_elsewhere_is_told_as_advice(toy, tmp_path, monkeypatch):
    def failing(*args, **options):
        raise ERRORS[2]

    monkeypatch.setattr(AdamW, "step", failing)
    with pytest.raises(OutOfMemory, match=r"out of memory: .* helps"):
        toy.train(tmp_path / "run", training=AUTO)


def test_other_errors_stay_what_they_are(toy, tmp_path, monkeypatch):
    def failing(*args, **options):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(gradients, "example_losses", failing)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        toy.train(tmp_path / "run", training=AUTO)
    with pytest.raises(ZeroDivisionError), advising():
        1 / 0  # noqa: B018


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((error, True) for error in ERRORS),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_memory_that_ran_out(error, expected):
    assert ran_out(error) is expected


def test_torch_and_numpy_really_raise_these():
    with pytest.raises(RuntimeError) as torchs:
        torch.empty(10**15)
    with pytest.raises(MemoryError) as numpys:
        np.empty(10**15)
    assert ran_out(torchs.value)
    assert ran_out(numpys.value)


def test_sizes_for_people():
    assert [size(n) for n in (7, 999_999, 10**6, 512 * 10**6, 1_250_000_000)] == [
        "7 bytes", "999999 bytes", "1 MB", "512 MB", "1.25 GB",
    ]  # fmt: skip


def test_what_an_attempt_held_is_let_go_of_before_the_next_one():
    import weakref

    held, alive = [], []

    def attempt():
        alive.append(sum(ref() is not None for ref in held))
        tensor = torch.zeros(3)
        held.append(weakref.ref(tensor))
        if len(held) < 3:
            raise MemoryError
        return int(tensor.sum())

    assert Memory().fit(attempt, lambda reason: None) == 0
    assert alive == [0, 0, 0]


def test_a_limit_that_cannot_be_measured_is_refused(monkeypatch):
    with pytest.raises(UserError, match=r"training\.memory_limit: .* here the device is meta"):
        Memory(1, torch.device("meta"))
    monkeypatch.setattr(memory, "_STATUS", Path("/nowhere"))
    with pytest.raises(UserError, match=r"training\.memory_limit: .* here the device is cpu"):
        Memory(1)
    assert Memory().fit(lambda: 3, None) == 3


def test_on_a_gpu_torchs_allocator_is_given_the_limit(monkeypatch):
    given = []
    card = type("Card", (), {"total_memory": 80})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *args: given.append(args)
    )
    device = torch.device("cuda:1")
    Memory(20, device)
    Memory(100, device)
    assert given == [(0.25, device), (1.0, device)]


@pytest.mark.parametrize("resettable", [True, False])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_peak_of_an_attempt_is_compared_with_the_limit(monkeypatch, resettable):
    if not resettable:
        monkeypatch.setattr(memory, "_CLEAR", Path("/nowhere/at/all"))
    now = memory._resident("VmRSS")
    watched = Memory(now + (100 << 20))
    kept = []

    def attempt(count):
        block = torch.ones(count, dtype=torch.uint8)
        if not resettable:
            kept.append(block)
        return int(block[-1])

    assert watched.fit(lambda: attempt(10 << 20), None) == 1
    sizes = [400 << 20, 40 << 20]

    def smaller(reason):
        assert reason.startswith("needed ")
        assert reason.endswith(f"the limit is {size(now + (100 << 20))}")
        kept.clear()
        sizes.pop(0)

    assert watched.fit(lambda: attempt(sizes[0]), smaller) == 1
    assert len(sizes) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_real_limit_in_processes_of_their_own(tmp_path):
    """What a step needs is taken from the messages that a limit of one byte gives."""
    toy, nouns = object.__new__(Toy), "film actor plot music cat dog bird sun "
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 8192}
    toy.folder, toy.encoder = tmp_path, write_encoder(tmp_path / "encoder", **sizes)
    header, words = "id,sentence,label\n", ["bad", "good"]
    rows = [f"{n},{words[n % 2]} {nouns * 3},{words[n % 2]}\n" for n in range(64)]
    (tmp_path / "sst-train.csv").write_text(header + "".join(rows))
    (tmp_path / "sst-dev.csv").write_text(f"{header}a,good {nouns},good\nb,bad {nouns},bad\n")
    config = toy.config(
        tmp_path / "toy.json", "sst", encoder={"max_length": 32}, threads=1,
        training={"batch_size": 64, "epochs": 1},
    )  # fmt: skip

    def train(output, *overrides):
        command = [sys.executable, "-m", "mtbert", "--quiet", "train", str(config), *overrides]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "--output", str(tmp_path / output), "--resume"],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        needed = re.search(r"needed ([\d.]+) (MB|GB)", done.stderr)
        return done, needed and float(needed[1]) * {"MB": 1, "GB": 1000}[needed[2]]

    none, most = train("run", "training.memory_limit=1")
    assert none.returncode == 2
    assert none.stderr.startswith("mtbert: step 1: out of memory: needed ")
    assert "the limit is 1 bytes; the weights are those of the step before. Go on by --resume " \
        "with `training.accumulate: auto` (the same batches in less memory) or a higher " \
        "`training.memory_limit`." in none.stderr  # fmt: skip
    auto, least = train("auto", "training.memory_limit=1", "training.accumulate=auto")
    assert auto.returncode == 2
    assert "step 1: out of memory with one example at a time" in auto.stderr
    assert most > least + 150
    limit = f"training.memory_limit={(most + least) // 2:.0f}MB"
    found, _ = train("run", limit, "training.accumulate=auto")
    assert found.returncode == 0, found.stderr
    assert "training.accumulate: 1, now 'auto'; training.memory_limit: 1, now " in found.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 1 < summary["accumulate"] <= 8
    assert summary["out_of_memory"] == math.log2(summary["accumulate"])
