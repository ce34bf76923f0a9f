"""Our measurements beside the paper's numbers, all computed before anything is formatted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtbert.paper.findings import Judged, change_interval, judge
from mtbert.paper.tables import FINDINGS, TABLES, TASKS, Change, Finding, PaperTable
from mtbert.studies.results import Results
from mtbert.studies.statistics import Interval

__all__ = ["Measured", "MeasuredChange", "MeasuredFinding", "MeasuredTable", "measure"]


@dataclass(frozen=True, slots=True)
class MeasuredChange:
    """A change as the paper has it, and by form as our runs have it; None if a run is missing."""

    change: Change
    paper: float
    ours: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """One of the paper's tables with its changes."""

    table: PaperTable
    changes: tuple[MeasuredChange, ...]


@dataclass(frozen=True, slots=True)
class MeasuredFinding:
    """One of the paper's findings, judged in each form."""

    finding: Finding
    judged: Mapping[str, Judged]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A study beside the paper.

    Attributes:
        results: of the study.
        tables: those that the study has runs of; empty for a study that is not about the paper.
        findings: those that rest on these tables.
        best: by form, the best dev score of each of the paper's tasks and the run that has it; no
            entry for a form that lacks one of the tasks.
    """

    results: Results
    tables: tuple[MeasuredTable, ...]
    findings: tuple[MeasuredFinding, ...]
    best: Mapping[str, Mapping[str, tuple[float, str]]]

    @property
    def experiments(self) -> set[str]:
        """The experiments of the tables."""
        return {measured.table.experiment for measured in self.tables}


def measure(results: Results) -> Measured:
    """Everything that the paper's sections of a report need.

    A user's grid may have an experiment of the same name as one of the paper's. It is taken for
    the paper's only if it has a variation of the table and, once a run is finished, one of the
    paper's tasks.
    """
    tables = [table for table in TABLES if _is_reproduced(results, table)]
    experiments = {table.experiment for table in tables}
    findings = [finding for finding in FINDINGS if finding.experiment in experiments]
    best = {form: _best(results, form) for form in results.forms}
    return Measured(
        results,
        tuple(_measure_table(results, table) for table in tables),
        tuple(
            MeasuredFinding(finding, {f: judge(results, f, finding) for f in results.forms})
            for finding in findings
        ),
        {form: scores for form, scores in best.items() if len(scores) == len(TASKS)},
    )


def _is_reproduced(results: Results, table: PaperTable) -> bool:
    experiment = table.experiment
    if experiment not in results.experiments:
        return False
    known = {name for row in table.rows for name in row.variations.values()}
    groups = [results.group(experiment, f, v) for f in results.forms for v in known]
    tasks = {task for group in groups if group is not None for task in group.tasks}
    return not known.isdisjoint(results.variations(experiment)) and (
        not tasks or not tasks.isdisjoint(TASKS)
    )


def _measure_table(results: Results, table: PaperTable) -> MeasuredTable:
    changes = []
    for change in table.changes:
        before = table.score(change.before, change.task)
        after = table.score(change.after, change.task)
        assert before is not None
        assert after is not None
        ours = {form: change_interval(results, form, change) for form in results.forms}
        changes.append(MeasuredChange(change, after - before, ours))
    return MeasuredTable(table, tuple(changes))


def _best(results: Results, form: str) -> dict[str, tuple[float, str]]:
    """The best score of each task and the first run that has it."""
    best: dict[str, tuple[float, str]] = {}
    for place in results.places:
        record = results.records.get(place.run)
        for task in TASKS:
            value = record.score(task) if record and place.form == form else None
            if value is not None and (task not in best or value > best[task][0]):
                best[task] = (value, place.run)
    return best
