"""Samplers: the values of the next trial. What is random depends on its number alone.

Optuna's samplers keep a random state in memory, which a killed search would lose: gone on with, it
would draw its first trials again. Here each draw is seeded by (seed, trial, key), so a search goes
on as if it had not stopped, and with one worker it repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna import Study, Trial
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from mtbert.methods.seeding import seed_from
from mtbert.studies.search.space import Choices, Space

__all__ = ["SAMPLERS", "draw", "make_sampler"]


class _Seeded(BaseSampler):
    """A sampler of Optuna's, made anew for each draw."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed

    def _at(self, *where: object) -> BaseSampler:
        return self._make(seed_from(self._seed, *where) % 2**32)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._at(trial.number).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._at(trial.number).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        sampler = self._at(trial.number, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)


class _Grid(BaseSampler):
    """Every combination in turn: the trial's number is its place in the grid."""

    def __init__(self, places: Sequence[Mapping[str, Any]]) -> None:
        self._places = places

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._places[trial.number][param_name]


SAMPLERS: dict[str, Callable[[Space, int], BaseSampler]] = {
    # Multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018), after ten random trials.
    "tpe": lambda space, seed: _Seeded(lambda draw: TPESampler(seed=draw), seed),
    "random": lambda space, seed: _Seeded(lambda draw: RandomSampler(seed=draw), seed),
    "grid": lambda space, seed: _Grid(space.grid()),
}
"""By the names of `--sampler`."""


def make_sampler(name: str, space: Space, seed: int) -> BaseSampler:
    """The sampler of a search.

    Raises:
        UserError: a grid of what cannot be counted.
    """
    return SAMPLERS[name](space, seed)


def draw(trial: Trial, space: Space) -> None:
    """Give a trial its values, but for those that it has already."""
    for key, domain in space.domains.items():
        if isinstance(domain, Choices):
            trial.suggest_categorical(key, domain.values)
        elif domain.whole:
            low, high, step = int(domain.low), int(domain.high), int(domain.step or 1)
            trial.suggest_int(key, low, high, step=step, log=domain.log)
        else:
            trial.suggest_float(key, domain.low, domain.high, step=domain.step, log=domain.log)
