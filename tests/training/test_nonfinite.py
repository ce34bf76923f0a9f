"""Losses and gradients that are not finite never reach the weights."""

import json
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.toy import TASKS, model_bytes, records, results

from mtbert.config.tasks import TaskSettings
from mtbert.methods.sampling.base import TaskBatch
from mtbert.objectives.target_scale import RAW
from mtbert.training import gradients, nonfinite
from mtbert.training import step as computation
from mtbert.training import trainer as loop
from mtbert.training.gradients import StepGradients
from mtbert.training.nonfinite import NonFiniteLoss, StepResult, explodes, finite_part
from mtbert.training.optimizer import AdamW
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer

STEP = {task: TaskBatch([i]) for i, task in enumerate("abc")}


def computing(losses, norms):
    """A `compute` with these losses; the norm of several tasks is their sum. Notes its calls."""
    calls = []

    def compute(step):
        calls.append("".join(step))
        norm = sum(norms[task] for task in step)
        return StepResult(StepGradients({}), {task: losses[task] for task in step}, norm)

    return compute, calls


@pytest.mark.parametrize(
    ("losses", "norms", "left", "faults", "calls"),
    [
        ([1, 2, 3], [1, 1, 1], "abc", {}, ["abc"]),
        ([1, math.nan, 3], [1, 1, 1], "ac", {"b": "the loss is nan"}, ["abc", "ac"]),
        ([math.inf, 2, 3], [math.nan, 1, 1], "bc", {"a": "the loss is inf"}, ["abc", "bc"]),
        ([1, 2, 3], [1, 1, math.inf], "ab", {"c": "the gradient's norm is inf"},
         ["abc", "a", "b", "c", "ab"]),
        ([1, math.nan, 3], [math.nan, 1, 1], "c",
         {"b": "the loss is nan", "a": "the gradient's norm is nan"},
         ["abc", "ac", "a", "c", "c"]),
        ([math.nan] * 3, [math.nan] * 3, "", dict.fromkeys("abc", "the loss is nan"), ["abc"]),
    ],
)  # fmt: skip
def test_the_parts_that_are_not_finite_are_found_and_left_out(losses, norms, left, faults, calls):
    compute, made = computing(
        dict(zip("abc", losses, strict=True)), dict(zip("abc", norms, strict=True))
    )
    computed, found = finite_part(dict(STEP), compute)
    assert "".join(computed.losses) == left
    assert found == faults
    assert made == calls  # nothing more is computed while all is well
    assert math.isfinite(computed.norm)


def test_parts_that_are_finite_alone_but_not_together_are_all_left_out():
    def compute(step):
        return StepResult(
            StepGradients({}), dict.fromkeys(step, 1.0), math.inf if len(step) > 1 else 1.0
        )

    computed, faults = finite_part(dict(STEP), compute)
    assert computed.losses == {}
    assert faults == dict.fromkeys("abc", "the gradient's norm is inf")


@pytest.fixture
def spoil(monkeypatch):
    """Make the loss of a task NaN, or one gradient of its head or encoder, at some steps."""
    trainers, example_losses, train_step = [], gradients.example_losses, Trainer._train_step

    def noting(self, active, step):
        trainers[:] = [(self, active)]
        train_step(self, active, step)

    def install(what, task, *steps):
        """Returns the list in which the trainer and its phase will stand."""
        monkeypatch.setattr(Trainer, "_train_step", noting)

        def now(settings):
            return settings.kind == TASKS[task]["kind"] and trainers[0][0].state.step + 1 in steps

        def spoiled(settings, outputs, labels):
            losses = example_losses(settings, outputs, labels)
            if not now(settings):
                return losses
            if what == "loss":
                return losses * torch.where(torch.arange(len(losses)) == 1, math.nan, 1.0)
            if outputs.requires_grad:
                outputs.register_hook(lambda gradient: gradient * math.inf)
            return losses

        monkeypatch.setattr(gradients, "example_losses", spoiled)
        monkeypatch.setattr(nonfinite, "example_losses", spoiled)
        return trainers

    return install


@pytest.fixture(params=[False, True], ids=["at once", "one step late"], autouse=True)
def reads_late(request, monkeypatch):
    """Losses are read at once, as on a CPU, or one step late, as on a GPU."""
    monkeypatch.setattr(loop, "_reads_late", lambda device: request.param)
    return request.param


def note_updates(monkeypatch):
    """A list that comes to hold the weights after each update that changed them."""
    updates, step = [], AdamW.step

    def noting(self, *, grad_scale, found_inf):
        step(self, grad_scale=grad_scale, found_inf=found_inf)
        if not found_inf:
            groups = self.param_groups
            updates.append([p.detach().clone() for group in groups for p in group["params"]])

    monkeypatch.setattr(AdamW, "step", noting)
    return updates


WHATS = [("loss", "the loss is nan"), ("gradient", "the gradient's norm is nan")]
TRAINING = [
    {},
    {"surgery": "pcgrad"},
    {"clip": 0.5},
    {"gradients_every": 1},
    {"accumulate": 2, "weight_decay": 0.1},
]


@pytest.mark.parametrize("training", TRAINING)
@pytest.mark.parametrize(("what", "told"), WHATS)
def test_stop_names_task_step_and_ids_before_weights_change(
    toy, tmp_path, spoil, monkeypatch, what, told, training
):
    trainers = spoil(what, "para", 3)
    updates = note_updates(monkeypatch)
    with pytest.raises(NonFiniteLoss) as error:
        toy.train(tmp_path / "run", training=training)
    assert len(updates) == 2
    ((_, active),) = trainers
    groups = active.learner.optimizer.param_groups
    now = [parameter for group in groups for parameter in group["params"]]
    assert all(map(torch.equal, now, updates[1]))
    assert not all(map(torch.equal, now, updates[0]))
    assert f"task para, step 3: {told}; examples para" in str(error.value)
    (record,) = records(tmp_path / "run", "non_finite")
    assert (record["step"], record["task"], record["policy"]) == (3, "para", "stop")
    bad = training.get("accumulate", 1)  # one in each part of the batch
    assert len(record["ids"]) == (bad if what == "loss" else 4)  # a bad loss names its example
    assert all(f"{shown}" in str(error.value) for shown in record["ids"])


@pytest.mark.parametrize("training", TRAINING)
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_skip_is_the_step_without_that_task(toy, tmp_path, spoil, monkeypatch, what, training):
    """The reference is given a plan in which the task does not stand at that step."""
    training = {**training, "non_finite": "skip"}
    plan_epoch = loop.plan_epoch

    def shorter(*args):
        for number, step in enumerate(plan_epoch(*args), 1):
            left_out = number == 2 and args[2] == 0  # of the first epoch
            yield {t: b for t, b in step.items() if not (left_out and t == "para")}

    with monkeypatch.context() as patch:
        patch.setattr(loop, "plan_epoch", shorter)
        toy.train(tmp_path / "reference", training=training)
    spoil(what, "para", 2)
    summary = toy.train(tmp_path / "run", training=training)
    assert model_bytes(tmp_path / "run") == model_bytes(tmp_path / "reference")
    assert summary["left_out"] == {"para": 1}
    assert summary["learning_rate_factor"] == 1
    logged = {r["step"]: r for r in records(tmp_path / "run", "train")}
    assert logged[2]["loss"]["para"] is None
    assert math.isfinite(logged[2]["loss"]["sst"])
    (record,) = records(tmp_path / "run", "non_finite")
    assert (record["step"], record["task"], record["policy"]) == (2, "para", "skip")


def test_a_step_of_which_nothing_is_left_changes_no_weight(toy, tmp_path, spoil, monkeypatch):
    spoil("loss", "sst", 1, 3)
    updates = note_updates(monkeypatch)
    training = {"non_finite": "skip", "epochs": 1}
    summary = toy.train(tmp_path / "run", "sst", training=training)
    assert (len(updates), summary["steps"], summary["left_out"]) == (2, 4, {"sst": 2})
    losses = [r["loss"]["sst"] is None for r in records(tmp_path / "run", "train")]
    assert losses == [True, False, True, False]


def test_halve_halves_every_rate_from_then_on(toy, tmp_path, spoil, caplog):
    spoil("loss", "sts", 3, 5)
    training = {"non_finite": "halve", "schedule": "linear", "head_learning_rate": 1e-2}
    with caplog.at_level(logging.WARNING):
        summary = toy.train(tmp_path / "run", training=training)
    found = records(tmp_path / "run", "train")
    factors = [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 4]
    line = [(6 - n) / 6 for n in range(6)]
    for key, peak in (("learning_rate", 1e-3), ("head_learning_rate", 1e-2)):
        expected = [peak * a * b for a, b in zip(factors, line, strict=True)]
        assert [r[key] for r in found] == pytest.approx(expected, rel=1e-12)
    assert summary["left_out"] == {"sts": 2}
    assert summary["learning_rate_factor"] == 1 / 4
    assert "learning rates are now 0.25 of the configured" in caplog.text


@pytest.mark.parametrize("policy", ["skip", "halve"])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_policies_are_exact_under_resume(toy, tmp_path, spoil, monkeypatch, policy, what):
    changes = {"training": {"non_finite": policy, "surgery": "pcgrad", "accumulate": 2}}
    spoil(what, "sts", 2, 4)
    toy.train(tmp_path / "whole", **changes)
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested = True

    monkeypatch.setattr(Trainer, "_after_step", stopping)
    for _ in range(6):
        with pytest.raises(Interrupted):
            toy.train(tmp_path / "parts", resume=True, **changes)
    toy.train(tmp_path / "parts", resume=True, **changes)
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert json.loads((tmp_path / "parts" / "summary.json").read_text())["left_out"] == {"sts": 2}


TRAINED = [
    {},
    {"surgery": "pcgrad", "clip": 0.5, "average": 0.9, "schedule": "linear", "warmup": 0.4},
    {"evaluate_every": 1, "checkpoint_every": 2, "patience": 3, "accumulate": 2},
]


@pytest.mark.parametrize("mode", ["finetune", "frozen", "heads_first"])
@pytest.mark.parametrize("training", TRAINED)
def test_reading_late_changes_nothing(toy, tmp_path, monkeypatch, spoil, training, mode):
    if mode == "frozen":
        training = {**training, "surgery": "none"}
    spoil("loss", "sts", 2, 3, 6)
    for late in (False, True):
        monkeypatch.setattr(loop, "_reads_late", lambda device, late=late: late)
        changes = {"training": {**training, "non_finite": "halve"}, "encoder": {"mode": mode}}
        toy.train(tmp_path / str(late), **changes)
    assert results(tmp_path / "True") == results(tmp_path / "False")
    assert model_bytes(tmp_path / "True") == model_bytes(tmp_path / "False")


def test_a_loss_explodes_when_it_is_ten_times_its_first_ones():
    first = []
    assert [explodes(first, x) for x in (1.0, 2.0, 3.0)] == [False] * 3
    assert explodes(first, 20.1)
    assert not explodes(first, 19.9)
    assert first == [1.0, 2.0, 3.0, 19.9]
    for _ in range(20):
        explodes(first, 1.0)
    assert len(first) == 10


def test_a_task_whose_loss_explodes_is_said_once_and_stands_in_the_summary(
    toy, tmp_path, caplog, monkeypatch
):
    compute = computation.compute_gradients
    steps = iter(range(1, 99))

    def exploding(*args, **kwargs):
        found = compute(*args, **kwargs)
        if next(steps) >= 4:
            found.losses["sts"].mul_(1000)
        return found

    monkeypatch.setattr(computation, "compute_gradients", exploding)
    with caplog.at_level(logging.WARNING):
        summary = toy.train(tmp_path / "run")
    assert summary["exploded"] == {"sts": 4}
    assert caplog.text.count("task sts, step 4: the loss explodes") == 1


def test_a_bad_example_is_looked_for_in_the_order_of_its_texts_in_the_step():
    """A pair whose loss is not finite one way round may be well the other way round."""
    swapped, told = np.array([True, False, True, False, True]), []

    class Network:
        device = torch.device("cpu")

        def __init__(self):
            self.tasks = {"sts": TaskSettings(kind="pair_regression", train="t", dev="t")}

        def head(self, task):
            return SimpleNamespace(scale=RAW)

        def __call__(self, task, inputs, generator):
            assert (task, generator) == ("sts", None)
            return inputs

    class Source:
        def label_tensor(self, indices, scale):
            return torch.zeros(len(indices))

        def inputs(self, indices, order):
            told.append((indices.tolist(), order.tolist()))
            bad = order & (indices == 7)
            return torch.tensor(np.where(bad, np.nan, 1.0)).unsqueeze(1)

    batch = TaskBatch(np.array([7, 7, 3, 4, 5]), swapped=swapped)
    assert nonfinite.bad_examples(Network(), "sts", batch, Source(), parts=2) == [7]
    assert told == [([7, 7, 3], [True, False, True]), ([4, 5], [False, True])]
