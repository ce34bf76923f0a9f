"""Verdicts on the paper's findings, from confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtbert.paper.tables import DURATIONS, TASKS, Change, Finding
from mtbert.studies.groups import difference, seconds_difference
from mtbert.studies.results import Results
from mtbert.studies.statistics import Interval, shown_interval

__all__ = ["Judged", "change_interval", "judge", "verdict"]

Measure = Callable[[float], Interval | None]
"""A change, as an interval of a given confidence level; None if it was not measured."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding's verdict in one form, and what it rests on.

    Attributes:
        verdict: see `verdict`.
        agreeing: number of changes whose mean is on the finding's side.
        known: number of changes with a known spread.
        details: every change, in words.
    """

    verdict: str
    agreeing: int
    known: int
    details: tuple[str, ...]


def judge(results: Results, form: str, finding: Finding) -> Judged:
    """The verdict on a finding in one form of the study."""
    if finding.changes:
        sign, digits, unit = finding.sign, 3, ""
        measured = [(_name(c), _measure(results, form, c)) for c in finding.changes]
    else:
        sign, digits, unit = -1, 1, " s an epoch"
        measured = [
            (f"{name} → {other}:", _duration_measure(results, form, before, after))
            for (name, before), (other, after) in _duration_steps()
        ]
    told = verdict([measure for _, measure in measured], sign, finding.margin, finding.need)
    found = [(name, measure(0.95)) for name, measure in measured]
    known = [change for _, change in found if change is not None and change.is_known]
    return Judged(
        told,
        sum(sign * change.mean > finding.margin for change in known),
        len(known),
        tuple(
            f"{name} {shown_interval(change, digits) + unit if change else 'missing'}"
            for name, change in found
        ),
    )


def verdict(measures: Sequence[Measure], sign: int, margin: float, need: str) -> str:
    """`holds`, `does not hold`, or `inconclusive`.

    `all`: it holds if every interval lies beyond the margin, and does not hold if any lies on the
    other side; `any`: the reverse. Where one of several changes is enough to decide, its interval
    has the level 1 - 0.05 / changes (Bonferroni), so that testing many changes does not make a
    finding by chance.
    """
    strict = 1 - 0.05 / len(measures)
    if need == "all":
        beyond = all(_side(m(0.95), sign, margin) > 0 for m in measures)
        against = any(_side(m(strict), sign, margin) < 0 for m in measures)
    else:
        beyond = any(_side(m(strict), sign, margin) > 0 for m in measures)
        against = all(_side(m(0.95), sign, margin) < 0 for m in measures)
    return "holds" if beyond else "does not hold" if against else "inconclusive"


def change_interval(
    results: Results, form: str, change: Change, level: float = 0.95
) -> Interval | None:
    """A change in one form, `after` minus `before`; None if a run is missing."""
    before = results.group(change.experiment, form, change.before)
    after = results.group(change.experiment, form, change.after)
    if before is None or after is None:
        return None
    return difference(after, before, change.task, level)


def _side(found: Interval | None, sign: int, margin: float) -> int:
    """1 beyond the margin in the direction of `sign`, -1 on the other side, 0 undecided."""
    if found is None or not found.is_known:
        return 0
    low, high = sorted((sign * found.low, sign * found.high))
    return 1 if low > margin else -1 if high < margin else 0


def _name(change: Change) -> str:
    return f"{TASKS[change.task]}, {change.before} → {change.after}:"


def _measure(results: Results, form: str, change: Change) -> Measure:
    return lambda level: change_interval(results, form, change, level)


def _duration_steps() -> list[tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]]:
    """Pairs of ways to train all tasks, from fewer tasks at once to more."""
    singly, *pairs, together = DURATIONS
    return [(singly, pair) for pair in pairs] + [(pair, together) for pair in pairs]


def _duration_measure(
    results: Results, form: str, before: Sequence[str], after: Sequence[str]
) -> Measure:
    groups = [[results.group("task-count", form, v) for v in side] for side in (after, before)]
    found = [[group for group in side if group is not None] for side in groups]
    if [len(side) for side in found] != [len(after), len(before)]:
        return lambda level: None
    return lambda level: seconds_difference(found[0], found[1], level)
