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
        ("training={select: sum},{select: balanced}", "training: decides how trials are scored"),
        ("tasks.sst.dev=10%,20%", "decides how trials are scored"),
        ("tasks.sst.train=a.csv,b.csv", "decides how trials are scored"),
        ("data.dir=a,b", "data.dir: decides how trials are scored"),
        ("training.epochs=1..3:0.5", "training.epochs: .*found 1.5"),
    ],
)
def test_a_key_or_value_that_is_refused_is_named(config, given, told):
    overrides = ["tasks.sst.dev=30%"] if "train=" in given else []
    with pytest.raises(UserError, match=f"--search: .*{told}"):
        check(config, given, overrides=overrides)


def test_values_may_go_together_only(config):
    """A frozen encoder goes with no surgery alone; that pair is a trial that fails."""
    check(config, "encoder.mode=finetune,frozen", "training.surgery=pcgrad,none")
    with pytest.raises(UserError, match=r"training\.surgery: with `encoder\.mode: frozen`"):
        check(
            config, "encoder.mode=finetune,frozen", "training.epochs=1,2",
            overrides=["training.surgery=pcgrad"],
        )  # fmt: skip


def test_another_training_file_with_the_same_dev_file_may_be_searched(config):
    check(config, "tasks.sst.train=a.csv,b.csv")


def test_all_problems_are_told_at_once(config):
    with pytest.raises(UserError, match=r"2 problems\n  training\.epochz.*\n  training\.warmup"):
        check(config, "training.epochz=1,2", "training.warmup=0..2")


def test_a_configuration_that_is_refused_for_itself_is_told_as_such(config):
    with pytest.raises(UserError, match=r"base\.yaml: training\.epochs"):
        check(config, "training.warmup=0,0.1", overrides=["training.epochs=x"])
