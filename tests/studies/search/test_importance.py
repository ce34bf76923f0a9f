"""Importance of settings: known from how made-up scores were made."""

import math

import optuna
import pytest

from mtbert.studies.search.importance import importances
from mtbert.studies.search.journal import quiet


def study_of(score, trials=60):
    with quiet():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    for _ in range(trials):
        trial = study.ask()
        much, little = trial.suggest_float("much", 0, 1), trial.suggest_float("little", 0, 1)
        trial.suggest_categorical("nothing", ["1", "2"])
        study.tell(trial, score(much, little))
    return study


def test_shares_are_those_of_the_variance():
    """For 3 x + y, x and y even on [0, 1], x has nine tenths of the variance and y one."""
    found = importances(study_of(lambda x, y: 3 * x + y, trials=300))
    assert [*found][:2] == ["much", "little"]
    assert math.fsum(found.values()) == pytest.approx(1)
    assert found["much"] == pytest.approx(0.9, abs=0.05)
    assert found["little"] == pytest.approx(0.1, abs=0.05)
    assert found["nothing"] < 0.02
    assert (
        importances(study_of(lambda x, y: 3 * x + y, trials=300)) == found
    )  # the forest has one seed


def test_few_trials_or_equal_scores_tell_nothing():
    assert importances(study_of(lambda x, y: x, trials=3)) == {}
    assert importances(study_of(lambda x, y: 1.0)) == {}
