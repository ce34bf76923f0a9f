"""Trials as plain values, and the best of them."""

import optuna
import pytest

from mtbert.studies.search.journal import quiet
from mtbert.studies.search.trials import REASON, RUN, Outcome, SearchTrial, best_trial, trials_of


def made(number, score):
    outcome = Outcome.FAILED if score is None else Outcome.FINISHED
    return SearchTrial(number, outcome, {}, score, {}, "", "")


def test_a_trial_has_its_values_decoded_and_what_became_of_it():
    with quiet():
        study = optuna.create_study()
    for state in (None, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL):
        trial = study.ask()
        trial.suggest_categorical("way", ['{"name": "pcgrad"}', "null"])
        trial.suggest_float("rate", 0.25, 0.25)
        trial.report(0.5, 2)
        trial.report(0.25, 1)
        trial.set_user_attr(RUN, "t0-s1-abc")
        trial.set_user_attr(REASON, "why")
        study.tell(trial, 0.75 if state is None else None, state)
    study.ask()
    first, second, third, last = trials_of(study)
    assert first.values["way"] in ({"name": "pcgrad"}, None)
    assert first.values["rate"] == 0.25
    assert (first.score, first.epochs) == (0.75, {1: 0.25, 2: 0.5})
    assert [*first.epochs] == [1, 2]
    assert (first.run, first.reason) == ("t0-s1-abc", "why")
    assert [t.outcome for t in (first, second, third, last)] == [
        "finished", "pruned", "failed", "open",
    ]  # fmt: skip
    assert [t.score for t in (second, third, last)] == [None] * 3


@pytest.mark.parametrize(("lower_is_better", "number"), [(False, 2), (True, 1)])
def test_the_best_is_the_first_of_equal_ones(lower_is_better, number):
    trials = [made(n, s) for n, s in enumerate((0.5, 0.1, 0.9, 0.9, 0.1, None))]
    assert best_trial(trials, lower_is_better=lower_is_better).number == number
    assert best_trial([made(0, None)], lower_is_better=lower_is_better) is None
