"""Methods that remember: their states are exact under resume, late reading and faults."""

import json
import math

import pytest
import torch
from support import methods
from support.stops import train_in_parts
from support.toy import records, results

from mtbert.config.training import TrainingSettings
from mtbert.methods.base import Progress
from mtbert.runs.state import State
from mtbert.training import gradients, gram
from mtbert.training import trainer as loop
from mtbert.training.gradients import StepGradients
from mtbert.training.nonfinite import StepResult
from mtbert.training.phase_methods import PhaseMethods
from mtbert.training.trainer import Trainer

REMEMBER = {
    "weighting": {"weighting": "slopes"},
    "aggregator": {"surgery": "damped"},
    "gradvac": {"surgery": "gradvac"},
    "nash_mtl": {"surgery": {"name": "nash_mtl", "update_every": 4}},
    "now and then": {"surgery": "gradvac", "surgery_every": 2},
    "both": {"weighting": {"name": "slopes", "decay": 0.5}, "surgery": "damped"},
}


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    methods.install(monkeypatch)


def newest_state(output):
    newest = max((output / "checkpoints").iterdir())
    return json.loads((newest / "state.json").read_text("utf-8"))


@pytest.mark.parametrize("named", REMEMBER)
@pytest.mark.parametrize("encoder", [{}, {"mode": "heads_first", "heads_first_epochs": 1}])
def test_a_method_that_remembers_goes_on_exactly(toy, tmp_path, monkeypatch, named, encoder):
    changes = {"training": {**REMEMBER[named], "average": 0.9}, "encoder": encoder}
    steps = toy.train(tmp_path / "whole", **changes)["steps"]
    assert newest_state(tmp_path / "whole")["methods"]
    train_in_parts(
        monkeypatch, steps, lambda: toy.train(tmp_path / "parts", resume=True, **changes)
    )
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


@pytest.mark.parametrize("named", REMEMBER)
def test_what_is_remembered_changes_the_training(toy, tmp_path, named):
    for name, training in (("with", REMEMBER[named]), ("without", {})):
        toy.train(tmp_path / name, training=training)
    first, second = (records(tmp_path / name, "train") for name in ("with", "without"))
    assert first[0]["loss"] == second[0]["loss"]
    assert first[-1]["loss"] != second[-1]["loss"]


@pytest.mark.parametrize("named", REMEMBER)
@pytest.mark.parametrize("policy", ["skip", "halve"])
def test_reading_late_and_faults_leave_no_trace_in_it(toy, tmp_path, monkeypatch, named, policy):
    """A step whose loss is NaN is computed again: nothing of the first attempt is remembered."""
    example_losses, trainers = gradients.example_losses, []
    train_step = Trainer._train_step

    def noting(self, *args):
        trainers[:] = [self]
        train_step(self, *args)

    def spoiled(settings, outputs, labels):
        bad = settings.kind == "pair_regression" and trainers[0].state.step + 1 in (2, 5)
        return example_losses(settings, outputs, labels) * (math.nan if bad else 1)

    monkeypatch.setattr(Trainer, "_train_step", noting)
    monkeypatch.setattr(gradients, "example_losses", spoiled)
    for late in (False, True):
        monkeypatch.setattr(loop, "_reads_late", lambda device, late=late: late)
        training = {**REMEMBER[named], "non_finite": policy}
        toy.train(tmp_path / str(late), training=training)
    assert results(tmp_path / "True") == results(tmp_path / "False")
    state = newest_state(tmp_path / "True")["methods"]
    if "weighting" in state:
        seen = [[step, tasks] for step, tasks in state["weighting"]["seen"]]
        assert [step for step, _ in seen] == list(range(6))
        assert [step for step, tasks in seen if tasks == ["para", "sst"]] == [1, 4]
        assert len(state["weighting"]["epochs"]) == 2
    if "calls" in state.get("aggregation", {}):
        assert state["aggregation"]["calls"] == 6


@pytest.mark.parametrize("every", [1, 2, 4])
def test_surgery_is_done_every_so_many_steps_of_a_phase_and_gradients_add_up_between(every):
    found = make(State(), surgery="pcgrad", surgery_every=every)
    done = [
        found.aggregator(Progress(step=step, steps=9, epoch=0, epochs=1)).name for step in range(9)
    ]
    assert done == ["none" if step % every else "pcgrad" for step in range(9)]


def test_a_step_without_surgery_is_that_of_a_run_without(toy, tmp_path, monkeypatch):
    """Bit for bit, with nothing set aside; the aggregator's memory waits for the next one."""
    set_aside = []
    whole = gram.SharedGradients.__init__

    def noting(self, parameters):
        set_aside.append(trainers[0].state.step)
        whole(self, parameters)

    trainers = []
    train_step = Trainer._train_step

    def remembering(self, *args):
        trainers[:] = [self]
        train_step(self, *args)

    monkeypatch.setattr(gram.SharedGradients, "__init__", noting)
    monkeypatch.setattr(Trainer, "_train_step", remembering)
    rare = {"gradients_every": 1000, "log_every": 1}
    toy.train(tmp_path / "run", training={"surgery": "damped", "surgery_every": 3, **rare})
    assert set_aside == [0, 3]
    assert newest_state(tmp_path / "run")["methods"]["aggregation"]["calls"] == 2
    logged = records(tmp_path / "run", "train")
    assert ["surgery_weights" in record for record in logged] == [True, False, False] * 2
    first = {"surgery": "damped", "surgery_every": 1000, **rare}
    toy.train(tmp_path / "first", training=first)
    for name in ("loss", "gradient_norm"):
        known, found = (
            [record[name] for record in records(tmp_path / run, "train")[:3]]
            for run in ("first", "run")
        )
        assert known == found


def test_each_phase_begins_with_a_fresh_memory(toy, tmp_path):
    encoder = {"mode": "heads_first", "heads_first_epochs": 2}
    toy.train(tmp_path / "run", encoder=encoder, training={"weighting": "slopes", "epochs": 1})
    found = newest_state(tmp_path / "run")["methods"]["weighting"]
    assert [step for step, _ in found["seen"]] == [0, 1, 2]
    assert len(found["epochs"]) == 1


def test_the_factors_of_the_losses_stand_in_the_log(toy, tmp_path):
    toy.train(tmp_path / "slopes", training={"weighting": "slopes", "epochs": 1})
    first, second, _ = records(tmp_path / "slopes", "train")
    assert first["loss_weights"] == {"sst": 1.0, "para": 1.0, "sts": 1.0}
    assert second["loss_weights"] != first["loss_weights"]
    toy.train(tmp_path / "fixed", training={"epochs": 1})
    assert all("loss_weights" not in r for r in records(tmp_path / "fixed", "train"))


def test_methods_that_remember_nothing_leave_nothing_in_a_checkpoint(toy, tmp_path):
    toy.train(tmp_path / "run", training={"surgery": "pcgrad"})
    state = newest_state(tmp_path / "run")
    assert (state["methods"], state["epoch_losses"]) == ({}, {})


def make(state, **training):
    return PhaseMethods(TrainingSettings(**training), ["a", "b"], state)


AT = Progress(step=0, steps=4, epoch=0, epochs=2)


def test_norms_are_the_lengths_of_the_weighted_gradients():
    seen = []

    class Noting(methods.Slopes):
        def observe(self, state, losses, norms, at):
            seen.append((losses, norms))
            return state

    state = State()
    found = make(state)
    found.weighting = Noting()
    gram = torch.tensor([[9.0, 1.0], [1.0, 4.0]], dtype=torch.float64)
    losses = {"a": 0.5, "b": 0.25}
    found.settle(StepResult(StepGradients({}, gram), losses, 1.0), AT)
    found.settle(StepResult(StepGradients({}), losses, 1.0), AT)
    assert seen == [(losses, {"a": 3.0, "b": 2.0}), (losses, None)]


def test_means_are_over_the_steps_of_an_epoch_in_which_a_task_was_finite():
    state = State()
    found = make(state, weighting="slopes")
    for losses in ({"a": 1.0, "b": 4.0}, {"a": 2.0}, {}, {"a": 6.0, "b": 2.0}):
        found.settle(StepResult(StepGradients({}), losses, 1.0), AT)
    found.end_epoch()
    assert state.methods["weighting"]["epochs"] == [{"a": 3.0, "b": 3.0}]
    assert state.epoch_losses == {}


def test_a_step_of_which_nothing_is_left_is_not_remembered():
    state = State()
    found = make(state, surgery="damped")
    before = dict(state.methods)
    found.launched({"factors": [5.0, 5.0], "calls": 9})
    found.settle(StepResult(StepGradients({}), {}, 0.0), AT)
    assert state.methods == before
    found.forget_launched()
    assert found.aggregator_state == before["aggregation"]
