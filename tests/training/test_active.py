import pytest
import torch

from mtbert.console.progress import ProgressBar
from mtbert.distributed.processes import ALONE
from mtbert.methods.base import Progress
from mtbert.methods.seeding import seed_from
from mtbert.runs.state import State
from mtbert.training.active import ActivePhase, LaunchedStep
from mtbert.training.gradients import StepGradients
from mtbert.training.learner import make_learner
from mtbert.training.nonfinite import StepResult
from mtbert.training.phase_methods import PhaseMethods
from mtbert.training.phases.table import phases_of
from mtbert.training.running_targets import RunningTargets
from mtbert.training.setup import prepare
from mtbert.training.step import GradientStep, PendingResult


@pytest.fixture
def make(toy):
    def made(state, mode="finetune", **training):
        settings = toy.settings("sst", encoder={"mode": mode}, training={"epochs": 3, **training})
        prepared = prepare(settings, ALONE)
        (phase,) = phases_of(prepared)
        data, training = phase.prepare(), settings.training
        learner = make_learner(prepared.network, phase, training)
        methods = PhaseMethods(training, ["sst"], state)
        step = GradientStep(prepared.network, data, training, prepared.runtime, state, methods)
        bar = ProgressBar("all", 12)
        targets = RunningTargets(prepared.network, learner, state)
        return ActivePhase(phase, data, learner, methods, step, targets, bar, 4, 5), training

    return made


def test_a_step_knows_where_it_stands(make):
    state = State(step=40, phase_step=6, epoch=1)
    active, _ = make(state)
    seed = seed_from("weighting", active.gradients.runtime.seed, 40)
    assert active.at(state) == Progress(step=6, steps=12, epoch=1, epochs=3, seed=seed)
    assert active.epoch_number(active.at(state)) == 7  # five epochs of earlier phases


def test_rates_follow_the_schedule_and_what_faults_have_left_of_it(make):
    state = State(phase_step=6, rate_factor=0.5)
    active, settings = make(state, schedule="linear", learning_rate=1e-4, head_learning_rate=1e-2)
    assert active.set_rates(settings, state) == 0.25  # half of the steps are done
    rates = sorted({group["lr"] for group in active.learner.optimizer.param_groups})
    assert rates == pytest.approx([0.25e-4, 0.25e-2])


@pytest.mark.parametrize(("mode", "rate"), [("finetune", 5e-4), ("frozen", 0.0)])
def test_the_record_of_a_step_holds_what_was_launched_and_what_was_left(make, mode, rate):
    state = State(step=9, phase_step=6, epoch=1, tokens=77)
    active, _ = make(state, mode=mode)
    gradients = StepGradients({"sst": torch.tensor(0.5)})
    launched = LaunchedStep(
        {"sst": None, "sts": None},
        active.at(state),
        0.5,
        {},
        PendingResult(gradients, torch.ones(())),
    )
    result = StepResult(gradients, {"sst": 0.5}, 2.0)
    found = active.record(launched, result, 0.5, state)
    assert found == {
        "kind": "train", "phase": active.phase.name, "epoch": 7, "step": 9,
        "loss": {"sst": 0.5, "sts": None}, "learning_rate": rate, "head_learning_rate": 5e-4,
        "gradient_norm": 2.0, "tokens": 77,
    }  # fmt: skip
