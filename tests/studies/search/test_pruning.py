"""Pruning: which scores count, and the median computed by hand."""

import statistics

import optuna
import pytest

from mtbert.studies.search.journal import quiet
from mtbert.studies.search.pruning import PRUNERS, scores_by_epoch, why_prune


def test_the_first_evaluation_of_an_epoch_counts_and_undefined_ones_do_not():
    records = [
        {"epoch": 1, "score": 0.1}, {"epoch": 2, "score": None}, {"epoch": 3, "score": 0.3},
        {"epoch": 3, "score": 0.4},
    ]  # fmt: skip
    assert scores_by_epoch(records) == {1: 0.1, 3: 0.3}


def finished(direction, curves):
    with quiet():
        study = optuna.create_study(direction=direction, pruner=PRUNERS["median"])
    for curve in curves:
        trial = study.ask()
        for epoch, score in enumerate(curve, 1):
            trial.report(score, epoch)
        study.tell(trial, curve[-1])
    return study


CURVES = [[0.1, 0.5], [0.2, 0.6], [0.3, 0.7], [0.4, 0.8], [0.9, 0.4]]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_trial_stops_when_its_best_score_is_behind_the_median(direction):
    sign = 1 if direction == "maximize" else -1
    study = finished(direction, [[sign * x for x in curve] for curve in CURVES])
    trial = study.ask()
    first, second = (statistics.median(curve[i] for curve in CURVES) for i in (0, 1))
    assert (first, second) == (0.3, 0.6)
    assert why_prune(study, trial, 1, sign * 0.35) == ""
    reason = why_prune(study, trial, 2, sign * 0.55)
    assert reason == (
        f"stopped after epoch 2: its score {sign * 0.55} is behind {sign * 0.6}, "
        "the median of 5 finished trials there"
    )
    assert trial.storage.get_trial(trial._trial_id).intermediate_values == {
        1: sign * 0.35, 2: sign * 0.55,
    }  # fmt: skip


def test_nothing_is_stopped_before_five_are_finished_nor_without_pruning():
    study = finished("maximize", CURVES[:4])
    assert why_prune(study, study.ask(), 1, -9.0) == ""
    study = finished("maximize", CURVES)
    study.pruner = PRUNERS["none"]
    assert why_prune(study, study.ask(), 1, -9.0) == ""


def test_an_epoch_that_the_journal_holds_is_judged_again_if_it_is_the_last():
    study = finished("maximize", CURVES)
    trial = study.ask()
    why_prune(study, trial, 1, 0.35)
    reason = why_prune(study, trial, 2, 0.1)
    again = optuna.Trial(study, trial._trial_id)
    assert why_prune(study, again, 1, 0.35) == ""
    assert why_prune(study, again, 2, 0.1) == reason != ""
