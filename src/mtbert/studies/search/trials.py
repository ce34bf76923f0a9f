"""The trials of a search as plain values: what reports, tables and the command read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

__all__ = ["REASON", "RUN", "Outcome", "SearchTrial", "best_trial", "trials_of"]

RUN, REASON = "run", "reason"
"""What the journal holds of a trial besides: the name of its run's folder, and why it ended."""


class Outcome(StrEnum):
    """How a trial ended."""

    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    OPEN = "open"


_OUTCOMES = {
    TrialState.COMPLETE: Outcome.FINISHED,
    TrialState.PRUNED: Outcome.PRUNED,
    TrialState.FAIL: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One trial.

    Attributes:
        number: from 0.
        outcome: how it ended.
        values: of the searched settings, by dotted key.
        score: its best one on dev; None unless it is finished.
        epochs: score after each epoch, as far as it was followed.
        run: the name of its run's folder; empty if it has none.
        reason: why it was pruned or failed.
    """

    number: int
    outcome: Outcome
    values: Mapping[str, Any]
    score: float | None
    epochs: Mapping[int, float]
    run: str
    reason: str


def trials_of(study: optuna.Study) -> list[SearchTrial]:
    """All trials, in order."""
    return [_plain(trial) for trial in study.get_trials(deepcopy=False)]


def best_trial(trials: Sequence[SearchTrial], *, lower_is_better: bool) -> SearchTrial | None:
    """The finished trial with the best score, of equal ones the first; None if none is finished."""
    sign = -1 if lower_is_better else 1
    finished = [(sign * t.score, -t.number, t) for t in trials if t.score is not None]
    return max(finished)[2] if finished else None


def _plain(trial: FrozenTrial) -> SearchTrial:
    outcome = _OUTCOMES.get(trial.state, Outcome.OPEN)
    return SearchTrial(
        trial.number,
        outcome,
        {
            key: json.loads(value)
            if isinstance(trial.distributions[key], CategoricalDistribution)
            else value
            for key, value in trial.params.items()
        },
        trial.value if outcome is Outcome.FINISHED else None,
        dict(sorted(trial.intermediate_values.items())),
        str(trial.user_attrs.get(RUN, "")),
        str(trial.user_attrs.get(REASON, "")),
    )
