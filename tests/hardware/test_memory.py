"""Memory that runs out: advice, or the same result in smaller parts."""

import json
import logging
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.memory import AUTO, ERRORS, PARAMETERS, Short
from support.toy import Toy, results, write_encoder

from mtbert.errors import UserError
from mtbert.hardware import memory
from mtbert.hardware.memory import Memory, OutOfMemory, advising, ran_out, size
from mtbert.inference import answering
from mtbert.inference.model import MultitaskModel
from mtbert.model.network import MultitaskNetwork
from mtbert.training import gradients
from mtbert.training.optimizer import AdamW
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer


@pytest.fixture
def short(monkeypatch):
    return lambda *args, **options: Short(monkeypatch, *args, **options)


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
    represent, raised = MultitaskNetwork.represent_all, []

    def short(self, tasks, batch):
        if len(batch.lengths) > 6:
            raised.extend(tasks)
            raise ERRORS[0]
        return represent(self, tasks, batch)

    changes = {"encoder": {"mode": "frozen"}, "training": {"epochs": 1}}
    whole = toy.train(tmp_path / "whole", **changes)
    monkeypatch.setattr(MultitaskNetwork, "represent_all", short)
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
    monkeypatch.setattr(answering, "_CHUNK", 10)
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
