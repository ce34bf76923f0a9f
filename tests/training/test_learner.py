import pytest
import torch

from mtbert.distributed.processes import ALONE
from mtbert.training.learner import make_learner
from mtbert.training.phases.table import phases_of
from mtbert.training.setup import prepare

HEADS_FIRST = {"mode": "heads_first"}


@pytest.fixture
def prepared(toy):
    return prepare(toy.settings(encoder=HEADS_FIRST, training={"average": 0.9}), ALONE)


def test_the_heads_alone_learn_where_the_trunk_is_frozen(prepared):
    part = prepared.network.learning(shared=False, own=False)
    assert part.shared == part.own == {}
    assert set(part.heads) == {"sst", "para", "sts"}
    assert all(name.startswith("heads.") for name in part.all)
    whole = prepared.network.learning(shared=True, own=True)
    assert whole.all.keys() == prepared.network.partition.all.keys()
    assert part.all.keys() < whole.all.keys()


@pytest.mark.parametrize("number", [0, 1])
def test_what_learns_requires_gradients_and_nothing_else_does(prepared, number):
    phase = phases_of(prepared)[number]
    learner = make_learner(prepared.network, phase, prepared.settings.training)
    learning = {n for n, p in prepared.network.partition.all.items() if p.requires_grad}
    assert learner.parameters.keys() == learning
    groups = learner.optimizer.param_groups
    assert {name for group in groups for name in group["names"]} == learning
    assert learner.average.weights.keys() == learning


def test_a_later_phase_thaws_what_an_earlier_one_froze(prepared):
    heads, everything = phases_of(prepared)
    make_learner(prepared.network, heads, prepared.settings.training)
    learner = make_learner(prepared.network, everything, prepared.settings.training)
    assert learner.parameters.keys() == prepared.network.partition.all.keys()


def test_its_tensors_are_parameters_moments_and_average_in_order(prepared):
    training = prepared.settings.training
    learner = make_learner(prepared.network, phases_of(prepared)[0], training)
    count = len(learner.parameters)
    assert len(learner.tensors()) == 2 * count  # no moments yet
    for parameter in learner.parameters.values():
        parameter.grad = torch.ones_like(parameter)
    learner.optimizer.step()
    tensors = learner.tensors()
    assert len(tensors) == 4 * count
    assert all(a is b for a, b in zip(tensors, learner.parameters.values(), strict=False))
    assert tensors[-1] is [*learner.average.weights.values()][-1]


def test_without_an_average_there_is_none(toy):
    prepared = prepare(toy.settings("sst"), ALONE)
    assert (
        make_learner(prepared.network, *phases_of(prepared), prepared.settings.training).average
        is None
    )
