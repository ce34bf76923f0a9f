"""The average of the weights, against float64 and inside runs."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.toy import model_bytes, records
from torch.nn import Parameter

from mtbert.inference.model import MultitaskModel
from mtbert.training.ema import WeightAverage
from mtbert.training.selection import Selection
from mtbert.training.trainer import Trainer


def reference(values, decay):
    """The average after all updates, one number after the other in Python's floats."""
    average = values[0]
    for t, value in enumerate(values[1:], start=1):
        d = min(decay, t / (t + 9))
        average = d * average + (1 - d) * value
    return average


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60),
    st.floats(0.01, 0.999),
)
def test_the_average_is_that_of_a_hand_computation(values, decay):
    parameter = Parameter(torch.tensor([values[0]], dtype=torch.float64))
    average = WeightAverage({"w": parameter}, decay)
    for number, value in enumerate(values[1:], start=1):
        parameter.data.fill_(value)
        average.update(number, torch.zeros(()))
    assert average.weights["w"].item() == pytest.approx(reference(values, decay), abs=1e-9)


def test_an_update_of_something_not_finite_leaves_the_average_as_it_is():
    parameter = Parameter(torch.zeros(3))
    average = WeightAverage({"w": parameter}, 0.5)
    parameter.data.fill_(1)
    average.update(1, torch.ones(()))
    assert torch.equal(average.weights["w"], torch.zeros(3))


def test_inside_the_weights_are_the_average_and_afterwards_their_own_even_after_an_error():
    parameter = Parameter(torch.zeros(3))
    average = WeightAverage({"w": parameter}, 0.5)
    parameter.data.fill_(1)
    average.update(1, torch.zeros(()))
    with pytest.raises(KeyError), average.in_place():
        assert torch.allclose(parameter, torch.full((3,), 0.9))
        raise KeyError
    assert torch.equal(parameter, torch.ones(3))


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_what_is_scored_and_kept_is_the_average_of_the_steps(toy, tmp_path, monkeypatch, mode):
    learning, weights, scored = [], [], []
    train_step, evaluate = Trainer._train_step, Selection.evaluate

    def note(parameters):
        return {n: p.detach().double() for n, p in parameters.items()}

    def spied_step(self, active, step):
        learning[:] = [active.learner.parameters]
        if not weights:
            weights.append(note(*learning))
        train_step(self, active, step)
        weights.append(note(*learning))

    def spied_evaluate(self, *args):
        scored.append(note(*learning))
        evaluate(self, *args)

    monkeypatch.setattr(Trainer, "_train_step", spied_step)
    monkeypatch.setattr(Selection, "evaluate", spied_evaluate)
    training = {"epochs": 3, "average": 0.8, "learning_rate": 1e-2}
    toy.train(tmp_path / "run", training=training, encoder={"mode": mode})
    steps = [record["step"] for record in records(tmp_path / "run", "dev")]
    assert len(steps) == 3
    for step, found in zip(steps, scored, strict=True):
        for name, values in found.items():
            history = [w[name] for w in weights[: step + 1]]
            torch.testing.assert_close(values, reference(history, 0.8), rtol=1e-5, atol=1e-6)
            assert mode == "frozen" or not torch.equal(values, history[-1]) or not values.any()
    best = next(i for i, r in reversed([*enumerate(records(tmp_path / "run", "dev"))]) if r["best"])
    model = MultitaskModel.from_pretrained(tmp_path / "run" / "model").network
    for name, parameter in model.partition.all.items():
        if name in scored[best]:
            torch.testing.assert_close(parameter.double(), scored[best][name], rtol=0, atol=0)


def test_training_itself_is_the_same_with_and_without(toy, tmp_path):
    for name, average in (("with", 0.9), ("without", None)):
        toy.train(tmp_path / name, training={"epochs": 2, "average": average, "log_every": 1})
    for a, b in itertools.zip_longest(
        records(tmp_path / "with", "train"), records(tmp_path / "without", "train")
    ):
        assert a == b
    assert model_bytes(tmp_path / "with") != model_bytes(tmp_path / "without")
