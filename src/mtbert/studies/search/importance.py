"""How much of the spread of a search's scores each setting explains."""

from __future__ import annotations

import optuna
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import TrialState

__all__ = ["importances"]

_FEWEST = 4
"""Finished trials; of fewer the shares are those of chance."""


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each setting in the variance of the scores of finished trials, the largest first.

    By fANOVA (Hutter, Hoos and Leyton-Brown 2014): a random forest is fitted to the scores, and its
    variance divided among the settings alone; shares are scaled to the sum 1. The forest has a
    fixed seed. Empty for few trials, or if all have one score.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < _FEWEST or len({trial.value for trial in finished}) == 1:
        return {}
    found = optuna.importance.get_param_importances(
        study, evaluator=FanovaImportanceEvaluator(seed=1)
    )
    return {key: float(share) for key, share in found.items()}
