"""An experiment of a study: scores of variations on tasks, differences, settings, curves, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtbert.reports.charts import Chart, Series, line_chart
from mtbert.reports.document import Block, ChartsBlock, Fold, Section, TableBlock
from mtbert.reports.settings import shown_setting
from mtbert.reports.study import budget, score_cell
from mtbert.studies.groups import Group, difference, score_interval, setting_differences
from mtbert.studies.results import Results
from mtbert.studies.statistics import Interval, mean_deviation, shown_interval

__all__ = ["ON_INTERVALS", "experiment_section", "shared_settings"]

ON_INTERVALS = (
    "In brackets: 95 % intervals. They cover the rows of the dev files (bootstrap) and, where "
    "there are several seeds, the seeds (Student's t). Differences are paired over seeds and rows; "
    "one whose interval holds 0 may be chance, and of many differences some look real by chance."
)


def experiment_section(results: Results, experiment: str) -> Section:
    """Everything about an experiment.

    Args:
        results: of the study.
        experiment: its name.
    """
    groups = _groups(results, experiment)
    blocks: list[Block] = []
    if len(results.experiments) > 1:  # of one alone the introduction has told it
        blocks += [f"{form}: {budget(results, form, experiment)}." for form in results.forms]
    blocks.append(_scores(results, experiment))
    if len(groups) > 1:
        blocks += [_differences(groups), *_settings(groups)]
    if groups:
        blocks += [_curves(groups), _times(groups)]
    return Section(results.experiments[experiment], blocks)


def shared_settings(results: Results) -> Section:
    """Settings that all runs of a study have in common, by dotted key."""
    trees = [record.settings for record in results.records.values()]
    rows = [
        [key, shown_setting(value)]
        for key, value in trees[0].items()
        if key != "seed" and all(tree.get(key) == value for tree in trees)
    ]
    title = f"Settings that all runs share ({len(rows)})"
    return Section("Settings", [Fold(title, [TableBlock("", ["key", "value"], rows, left=2)])])


def _groups(results: Results, experiment: str) -> dict[str, Group]:
    """The groups that have a finished run, by name."""
    found = {}
    for form in results.forms:
        for variation in results.variations(experiment):
            group = results.group(experiment, form, variation)
            if group is not None:
                found[_name(results, form, variation)] = group
    return found


def _name(results: Results, form: str, variation: str) -> str:
    """The variation, after its form where there are several."""
    return variation if len(results.forms) == 1 else f"{form}: {variation}"


def _tasks(groups: Mapping[str, Group]) -> dict[str, str]:
    """The main metric of each task."""
    return {
        task: record.metric(task)
        for group in groups.values()
        for record in group.records
        for task in record.summary["dev"]
    }


def _scores(results: Results, experiment: str) -> TableBlock:
    tasks = _tasks(_groups(results, experiment))
    rows = []
    for form in results.forms:
        for variation in results.variations(experiment):
            if not results.planned(experiment, form, variation):
                continue
            group = results.group(experiment, form, variation)
            cells = []
            for task in tasks:
                cell = score_cell(results, experiment, form, variation, task)
                cells.append(cell + ("" if group is None else _interval(group, task)))
            rows.append([_name(results, form, variation), *cells])
    headers = ["variation", *(f"{task} {metric}" for task, metric in tasks.items())]
    return TableBlock("Variations and tasks", headers, rows)


def _interval(group: Group, task: str) -> str:
    """Within what the metric can be: of few seeds Student's interval may reach beyond it."""
    found = score_interval(group, task) if task in group.tasks else None
    if found is None or not found.is_known:
        return ""
    least = -1.0 if group.records[0].metric(task) == "pearson" else 0.0
    return f" [{max(found.low, least):.3f}, {min(found.high, 1.0):.3f}]"


def _differences(groups: Mapping[str, Group]) -> TableBlock:
    """Of every variation from the first."""
    (first, base), *others = groups.items()
    tasks = _tasks(groups)
    rows = []
    for name, group in others:
        found = [difference(group, base, task) for task in tasks]
        rows.append([name, *("" if d is None else _told(d) for d in found)])
    headers = ["variation", *tasks]
    caption = f"Differences from {first}; ▲ and ▼: above or below it by more than the interval"
    return TableBlock(caption, headers, rows)


def _told(found: Interval) -> str:
    sign = "▲ " if found.low > 0 else "▼ " if found.high < 0 else ""
    return (sign if found.is_known else "") + shown_interval(found)


def _settings(groups: Mapping[str, Group]) -> list[Block]:
    """A row for each variation, a column for each setting in which any two differ."""
    found = setting_differences(list(groups.values()))
    if not found:
        return []
    rows = [
        [name, *(shown_setting(values[place]) for values in found.values())]
        for place, name in enumerate(groups)
    ]
    headers = ["variation", *found]
    table = TableBlock("Settings in which the variations differ", headers, rows, len(headers))
    return [table]


def _curves(groups: Mapping[str, Group]) -> ChartsBlock:
    """The main metric of each task by epoch, a line for each variation: the mean over its seeds."""
    charts = [_curve(task, metric, groups) for task, metric in _tasks(groups).items()]
    return ChartsBlock("Scores on dev by epoch, the mean over seeds.", charts)


def _curve(task: str, metric: str, groups: Mapping[str, Group]) -> Chart:
    series = []
    for name, group in groups.items():
        points = _means([_points(r.curve, task, metric) for r in group.records])
        series.append(Series(name, list(points), list(points.values())))
    return line_chart(f"{task}: {metric}", series)


def _points(curve: Sequence[Mapping[str, Any]], task: str, metric: str) -> dict[float, float]:
    found = ((point["epoch"], point["dev"].get(task, {}).get(metric)) for point in curve)
    return {epoch: value for epoch, value in found if value is not None}


def _means(curves: Sequence[Mapping[float, float]]) -> dict[float, float]:
    """Means over the curves, where all have a value: fewer would bend the line."""
    common = [x for x in curves[0] if all(x in curve for curve in curves)]
    return {x: sum(curve[x] for curve in curves) / len(curves) for x in common}


def _times(groups: Mapping[str, Group]) -> TableBlock:
    rows = []
    for name, group in groups.items():
        seconds, _ = mean_deviation([r.seconds_per_epoch for r in group.records])
        whole, _ = mean_deviation([r.summary["seconds"] for r in group.records])
        epochs = ", ".join(str(r.summary["best_epoch"]) for r in group.records)
        seeds = ", ".join(map(str, group.seeds))
        rows.append([name, seeds, epochs, f"{seconds:.1f}", f"{whole:.0f}"])
    headers = ["variation", "seeds", "best epochs", "seconds an epoch", "seconds a run"]
    return TableBlock("Time, means over seeds", headers, rows)
