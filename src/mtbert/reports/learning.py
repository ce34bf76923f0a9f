"""Learning curves of a run: losses and scores of each task, and how its gradients get on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtbert.reports.charts import Chart, Series, line_chart
from mtbert.reports.document import Block, ChartsBlock, Section, TableBlock
from mtbert.runs.scores import main_metric

__all__ = ["learning_section", "score_chart"]

_POINTS = 200
"""Of a line, at most."""

_CONFLICT = -0.05
"""A mean cosine below it is called a conflict; around 0 the tasks hardly touch each other."""


Points = Mapping[str, Sequence[tuple[float, float | None]]]
"""(step, value) by name."""


def learning_section(
    train: Sequence[Mapping[str, Any]], dev: Sequence[Mapping[str, Any]]
) -> Section:
    """Losses, scores, gradient norms and cosines over the steps.

    Args:
        train: the records of steps in metrics.jsonl.
        dev: the records of evaluations.
    """
    tasks = list(dict.fromkeys(task for record in dev for task in record["dev"]))
    charts = [*(_losses(task, train, dev) for task in tasks)]
    charts += [score_chart(task, {"": dev}) for task in tasks]
    blocks: list[Block] = [
        ChartsBlock(
            "Losses of the training steps and, where they were written down, of the dev rows; main "
            "metric of each task on dev.",
            [chart for chart in charts if chart is not None],
        )
    ]
    return Section("Learning", blocks + _gradients(train))


def score_chart(task: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    """The main metric of a task on dev by epoch, a line for each run by name."""
    series, metric = [], ""
    for name, records in runs.items():
        found = [record for record in records if record["dev"].get(task)]
        if found:
            metric = main_metric(found[0]["dev"][task])
            values = [record["dev"][task].get(metric) for record in found]
            series.append(Series(name or metric, [r["epoch"] for r in found], values))
    return line_chart(f"{task}: {metric}" if metric else task, series)


def _losses(
    task: str, train: Sequence[Mapping[str, Any]], dev: Sequence[Mapping[str, Any]]
) -> Chart | None:
    lines = []
    for name, records in (("train", train), ("dev", dev)):
        points = [
            (record["step"], record["loss"][task])
            for record in records
            if isinstance(record.get("loss"), Mapping) and task in record["loss"]
        ]
        if points:
            x, y = zip(*_thinned(points), strict=True)
            lines.append(Series(name, x, y))
    return line_chart(f"{task}: loss", lines, x_label="step") if lines else None


def _gradients(train: Sequence[Mapping[str, Any]]) -> list[Block]:
    norms, cosines = (_by_name(train, key) for key in ("task_gradient_norm", "gradient_cosine"))
    if not norms:
        return []
    charts = [_chart("Gradient norm of each task", norms)]
    blocks: list[Block] = [
        "Gradient norms say how much each task moves the shared weights: one that is several times "
        "another's decides for both."
        + (" A cosine below 0 means that two tasks pull them in opposite ways." if cosines else ""),
        _norm_table(norms),
    ]
    if cosines:
        charts.append(_chart("Cosines between the tasks' gradients", cosines, _around_0(cosines)))
        blocks.append(_cosine_table(cosines))
    return [*blocks, ChartsBlock("", charts)]


def _norm_table(norms: Points) -> TableBlock:
    means = {name: _mean(points) for name, points in norms.items()}
    smallest = min((mean for mean in means.values() if mean), default=None)
    rows = [
        [name, *(["", ""] if mean is None else [f"{mean:.4g}", _times(mean, smallest)])]
        for name, mean in means.items()
    ]
    return TableBlock("Gradient norms", ["task", "mean", "times the smallest"], rows)


def _times(mean: float, smallest: float | None) -> str:
    return "" if smallest is None else f"{mean / smallest:.1f}"


def _cosine_table(cosines: Points) -> TableBlock:
    rows = []
    for pair, points in cosines.items():
        known, mean = [value for _, value in points if value is not None], _mean(points)
        if mean is not None:
            below = sum(value < 0 for value in known) / len(known)
            word = "conflict" if mean < _CONFLICT else "agree" if mean > -_CONFLICT else "neither"
            rows.append(
                [
                    pair.replace("/", " / "),
                    f"{mean:.2f}".replace("-0.00", "0.00"),
                    f"{below:.0%}",
                    word,
                ]
            )
    headers = ["tasks", "mean cosine", "steps below 0", "on the whole they"]
    return TableBlock("Conflicts between gradients", headers, rows)


def _around_0(cosines: Points) -> tuple[float, float]:
    """Limits of an axis with 0 in its middle, wide enough for all."""
    known = [abs(v) for points in cosines.values() for _, v in points if v is not None]
    most = min(1.0, max([0.1, *known]))
    return -most, most


def _mean(points: Sequence[tuple[float, float | None]]) -> float | None:
    known = [value for _, value in points if value is not None]
    return sum(known) / len(known) if known else None


def _chart(
    title: str,
    lines: Points,
    limits: tuple[float, float] | None = None,
) -> Chart:
    series = []
    for name, points in lines.items():
        x, y = zip(*_thinned(points), strict=True)
        series.append(Series(name, x, y))
    return line_chart(title, series, x_label="step", limits=limits)


def _by_name(train: Sequence[Mapping[str, Any]], key: str) -> Points:
    """(step, value) of each name in a field of the records."""
    found: dict[str, list[tuple[float, float | None]]] = {}
    for record in train:
        values = record.get(key)
        if isinstance(values, Mapping):
            for name, value in values.items():
                found.setdefault(name, []).append((record["step"], value))
    return found


def _thinned(points: Sequence[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """At most `_POINTS` of them, each the mean of the points it stands for."""
    size = -(-len(points) // _POINTS)
    if size == 1:
        return list(points)
    thinned = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        known = [y for _, y in part if y is not None]
        thinned.append((part[-1][0], sum(known) / len(known) if known else None))
    return thinned
