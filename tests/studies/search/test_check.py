"""Values of a space that a configuration refuses are told before anything runs."""

import pytest

from mtbert.errors import UserError
from mtbert.studies.search.check import check_space
from mtbert.studies.search.space import read_space


@pytest.fixture
def config(toy, tmp_path):
    return str(toy.config(tmp_path / "base.yaml", "sst", "para"))


def check(config, *given, overrides=()):
    return check_space(read_space(given), config, overrides)


def test_the_configuration_comes_back_with_its_overrides(config):
    settings = check(config, "training.epochs=1,2", overrides=["seed=9"])
    assert (settings.seed, settings.training.epochs) == (9, 2)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("training.lerning_rate=1,2", "did you mean 'learning_rate'?"),
        ("trainin.epochs=1,2", "did you mean 'training'?"),
        ("training.epochs=2,x", "training.epochs: .*found 'x'"),
        ("training.warmup=0..1", "training.warmup: input should be less than 1"),
        ("training.learning_rate=0..1", "training.learning_rate: input should be greater than 0"),
        ("training.surgery=none,pcgrat", "did you mean 'pcgrad'?"),
        ("tasks.sts.loss_weight=1,2", "tasks.sts.kind: missing"),
        ("training.select=sum,balanced", "decides how trials are scored"),
        ("tasks.sst.dev=10%,20%", "decides how trials are scored"),
    ],
)
def test_a_key_or_value_that_is_refused_is_named(config, given, told):
    with pytest.raises(UserError, match=f"--search: .*{told}"):
        check(config, given)


def test_all_problems_are_told_at_once(config):
    with pytest.raises(UserError, match=r"2 problems\n  training\.epochz.*\n  training\.warmup"):
        check(config, "training.epochz=1,2", "training.warmup=0..2")


def test_a_configuration_that_is_refused_for_itself_is_told_as_such(config):
    with pytest.raises(UserError, match=r"base\.yaml: training\.epochs"):
        check(config, "training.warmup=0,0.1", overrides=["training.epochs=x"])
