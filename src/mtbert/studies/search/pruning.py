"""Pruning: a trial that does worse than half of those before it, after as many epochs, is stopped.

The median stopping rule of Golovin et al. 2017 (Google Vizier) in Optuna's form: the best score of
the trial so far beside the median of the finished trials' scores after the same epoch.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from optuna import Study, Trial
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import TrialState

__all__ = ["PRUNERS", "scores_by_epoch", "why_prune"]

PRUNERS: dict[str, BasePruner] = {
    "median": MedianPruner(n_startup_trials=5),  # so many are finished before one is stopped
    "none": NopPruner(),
}
"""By the names of `--pruning`."""


def scores_by_epoch(evaluations: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """The score of the first evaluation of each epoch, in order; undefined ones are left out.

    Without `training.evaluate_every` that is the one at its end.
    """
    found: dict[int, float | None] = {}
    for record in evaluations:
        found.setdefault(int(record["epoch"]), record["score"])
    return {epoch: score for epoch, score in found.items() if score is not None}


def why_prune(study: Study, trial: Trial, epoch: int, score: float) -> str:
    """Why a trial is to stop after an epoch, whose score is reported; empty if it goes on.

    Of a trial that is taken up again the journal may hold the epoch already: it is judged once
    more if it is the last one, for the search may have been killed in between.
    """
    known = study.get_trials(deepcopy=False)[trial.number].intermediate_values
    if epoch < max(known, default=0):
        return ""
    if epoch not in known:
        trial.report(score, epoch)
    return _reason(study, epoch, score) if trial.should_prune() else ""


def _reason(study: Study, epoch: int, score: float) -> str:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    others = [t.intermediate_values[epoch] for t in finished if epoch in t.intermediate_values]
    return (
        f"stopped after epoch {epoch}: its score {score:.4g} is behind "
        f"{statistics.median(others):.4g}, the median of {len(others)} finished trials there"
    )
