"""Runs side by side: scores, differences with intervals, and the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from mtbert.errors import UserError
from mtbert.studies.groups import Group, difference, score_interval, setting_differences
from mtbert.studies.records import Record, read_record
from mtbert.studies.statistics import shown_interval

__all__ = ["compare", "group_runs"]


def compare(paths: Sequence[Path]) -> str:
    """Tables of the runs; those that differ only in their seed share a row.

    Raises:
        UserError: one is no finished run, or one is named twice.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("compare: a run is named twice")
    groups = group_runs([read_record(path, str(path)) for path in paths])
    tasks = list(dict.fromkeys(task for group in groups for task in group.tasks))
    first = groups[0]
    scores = [
        [group.name, ", ".join(map(str, group.seeds)), *(_score(group, task) for task in tasks),
         f"{sum(r.seconds_per_epoch for r in group.records) / len(group.records):.1f}"]
        for group in groups
    ]  # fmt: skip
    metrics = [_metric(groups, task) for task in tasks]
    headers = ["run", "seeds", *metrics, "s/epoch"]
    parts = [_table(scores, headers)]
    if len(groups) > 1:
        rows = [[g.name, *(_difference(g, first, task) for task in tasks)] for g in groups[1:]]
        parts.append(
            f"less {first.name} [95 % interval: dev rows, and seeds where there are several]"
        )
        parts.append(_table(rows, ["run", *metrics]))
        changed = setting_differences(groups)
        rows = [[key, *("" if v is None else str(v) for v in vs)] for key, vs in changed.items()]
        parts.append(
            _table(rows, ["setting", *(group.name for group in groups)])
            if rows
            else "no setting differs but the seed"
        )
    return "\n\n".join(parts)


def group_runs(records: Sequence[Record]) -> list[Group]:
    """Group records whose settings differ only in the seed; seeds in order.

    The same seed a second time starts a new group.
    """
    groups: list[list[Record]] = []
    for record in records:
        for group in groups:
            if _without_seed(group[0]) == _without_seed(record) and all(
                other.seed != record.seed for other in group
            ):
                group.append(record)
                break
        else:
            groups.append([record])
    return [
        Group(group[0].name, tuple(sorted(group, key=lambda record: record.seed)))
        for group in groups
    ]


def _without_seed(record: Record) -> dict[str, object]:
    return {key: value for key, value in record.settings.items() if key != "seed"}


def _metric(groups: Sequence[Group], task: str) -> str:
    record = next(group.records[0] for group in groups if task in group.tasks)
    return f"{task} {record.metric(task)}"


def _score(group: Group, task: str) -> str:
    if task not in group.tasks:
        return ""
    found = score_interval(group, task)
    return "undefined" if found is None else f"{found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]"


def _difference(group: Group, other: Group, task: str) -> str:
    found = difference(group, other, task)
    return "" if found is None else shown_interval(found, 4)


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulate(rows, headers, disable_numparse=True)
