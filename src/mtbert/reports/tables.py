"""Scores as a terminal table, and the machine of a run in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from mtbert.runs.forgetting import forgetting_rows
from mtbert.runs.scores import shown_score

__all__ = ["machine", "scores_table"]

_CLASSES_SHOWN = 30
"""Tasks of more classes are shown without the scores of each."""


def scores_table(summary: Mapping[str, Any]) -> str:
    """A line per task and metric, with intervals and scores by class where `details` has them.

    The overall scores stand below.
    """
    details: Mapping[str, Any] = summary.get("details", {})
    scored = [
        (task, metrics)
        for part in ("train", "dev", "test", "file", "others")
        for task, metrics in summary.get(part, {}).items()
    ]
    rows = [
        [task, metric, shown_score(value), *_interval(details, task, metric)]
        for task, metrics in scored
        for metric, value in metrics.items()
    ]
    head = ["task", "metric", "value", *(["95 % interval"] if details else [])]
    tables = [tabulate(rows, head, disable_numparse=True)]
    tables += [
        _class_table(task, classes)
        for task, _ in scored
        if 0 < len(classes := details.get(task, {}).get("classes", [])) <= _CLASSES_SHOWN
    ]
    if found := summary.get("forgetting"):
        head, rows = forgetting_rows(found)
        align = ("left", *["right"] * (len(head) - 1))
        tables.append(tabulate(rows, head, disable_numparse=True, colalign=align))
    tail = f"overall {shown_score(summary['overall'])}, mean {shown_score(summary['mean'])}"
    if "best_epoch" in summary:
        tail += (
            f"; best epoch {summary['best_epoch']}, {summary['seconds']:.0f} s, "
            f"{summary['tokens_per_second']:,.0f} tokens/s"
        )
    return "\n\n".join([*tables, tail])


def _interval(details: Mapping[str, Any], task: str, metric: str) -> list[str]:
    """The cell of a 95 % interval; none where no task has any."""
    score = details.get(task, {}).get("metrics", {}).get(metric, {})
    return [_span(score)] if details else []


def _span(score: Mapping[str, Any]) -> str:
    low, high = score.get("low"), score.get("high")
    return "" if low is None or high is None or low == high else f"{low:.4f} to {high:.4f}"


def _class_table(task: str, classes: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            one["name"],
            *(shown_score(one[metric]["value"]) for metric in ("precision", "recall", "f1")),
            _span(one["f1"]), str(one["rows"]), str(one["predicted"]),
        ]
        for one in classes
    ]  # fmt: skip
    head = [f"{task}: class", "precision", "recall", "F1", "95 % interval of F1", "rows", "answers"]
    align = ("left", *["right"] * 3, "left", "right", "right")
    return tabulate(rows, head, disable_numparse=True, colalign=align)


def machine(summary: Mapping[str, Any]) -> str:
    """Processor, threads, precision and versions of a run, in one line."""
    threads, versions = summary["threads"], summary["versions"]
    return (
        f"{summary['processor']}, {threads} thread{'' if threads == 1 else 's'}, "
        f"{summary['precision']}; mtbert {versions['mtbert']}, torch {versions['torch']}."
    )
