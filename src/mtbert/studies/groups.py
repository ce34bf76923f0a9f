"""Groups of runs that differ only in their seed: scores and differences with intervals."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtbert.studies.records import Record
from mtbert.studies.statistics import Array, Interval, bootstrap, interval

__all__ = ["Group", "difference", "score_interval", "seconds_difference", "setting_differences"]


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one configuration, seeds in order.

    Attributes:
        name: for tables.
        records: at least one.
    """

    name: str
    records: tuple[Record, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in order."""
        return tuple(record.seed for record in self.records)

    def scores(self, task: str) -> list[float]:
        """The main metric of a task by seed, undefined ones left out."""
        return [s for record in self.records if (s := record.score(task)) is not None]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that were evaluated."""
        return tuple(self.records[0].summary["dev"])

    def has_constant(self, task: str) -> bool:
        """Whether a run predicts the same answer for all dev rows of a task."""
        return any(r.predictions[task].constant for r in self.records if task in r.predictions)


def score_interval(group: Group, task: str, level: float = 0.95) -> Interval | None:
    """A task's main metric, averaged over seeds, with its interval; None if there is none."""
    found = [r for r in group.records if r.score(task) is not None]
    if not found:
        return None
    return interval([_score(r, task) for r in found], _draws(found, task), level)


def difference(group: Group, other: Group, task: str, level: float = 0.95) -> Interval | None:
    """By how much a group's main metric exceeds another's, paired over seeds and dev rows.

    Seeds that only one of them has are left out, unless they have none in common: then they are
    paired in order. If the dev sets differ, the interval covers seeds alone. If every run predicts
    one answer for all rows, nothing is known: two runs that have learned nothing do not thereby do
    equally well.

    Returns:
        None where the task did not run in both, or is undefined.
    """
    pairs = [
        (a, b)
        for a, b in _pairs(group, other)
        if a.score(task) is not None and b.score(task) is not None
    ]
    if not pairs or any(a.metric(task) != b.metric(task) for a, b in pairs):
        return None
    values = [_score(a, task) - _score(b, task) for a, b in pairs]
    if all(r.predictions[task].constant for pair in pairs for r in pair):
        mean = float(np.mean(values))
        return Interval(mean, mean, mean, len(values), None, None)
    draws = None
    if len({r.predictions[task].digest for pair in pairs for r in pair}) == 1:
        first, second = zip(*pairs, strict=True)
        draws = _draws(first, task) - _draws(second, task)
    return interval(values, draws, level)


def seconds_difference(
    groups: Sequence[Group], others: Sequence[Group], level: float = 0.95
) -> Interval | None:
    """By how many seconds per epoch some groups exceed others, each side summed.

    Paired over the seeds that all of them have; None if there are none.
    """
    everyone = [*groups, *others]
    seeds = sorted(set.intersection(*(set(group.seeds) for group in everyone)))
    if not seeds:
        return None
    values = [
        sum(_seconds(g, seed) for g in groups) - sum(_seconds(g, seed) for g in others)
        for seed in seeds
    ]
    return interval(values, None, level)


def setting_differences(groups: Sequence[Group]) -> dict[str, list[object]]:
    """Settings in which groups differ, by dotted key: each group's value, or None.

    The seed is left out.
    """
    trees = [group.records[0].settings for group in groups]
    keys = list(dict.fromkeys(key for tree in trees for key in tree if key != "seed"))
    values = {key: [tree.get(key) for tree in trees] for key in keys}
    return {key: found for key, found in values.items() if any(v != found[0] for v in found)}


def _pairs(group: Group, other: Group) -> list[tuple[Record, Record]]:
    by_seed = {record.seed: record for record in other.records}
    common = [(r, by_seed[r.seed]) for r in group.records if r.seed in by_seed]
    return common or list(zip(group.records, other.records, strict=False))


def _score(record: Record, task: str) -> float:
    value = record.score(task)
    assert value is not None
    return value


def _seconds(group: Group, seed: int) -> float:
    return next(r.seconds_per_epoch for r in group.records if r.seed == seed)


def _draws(records: Sequence[Record], task: str) -> Array:
    return np.stack([_record_draws(record, task) for record in records])


@functools.lru_cache(maxsize=1024)
def _record_draws(record: Record, task: str) -> Array:
    rows = record.predictions[task]
    return bootstrap(record.metric(task), rows.gold, rows.predicted)
