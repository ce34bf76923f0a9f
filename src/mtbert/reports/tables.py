"""Scores as a terminal table, and the machine of a run in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from mtbert.runs.scores import shown_score

__all__ = ["machine", "scores_table"]


def scores_table(summary: Mapping[str, Any]) -> str:
    """A line per task and metric, the overall scores below."""
    rows = [
        [task, metric, shown_score(value)]
        for part in ("train", "dev", "test", "file", "others")
        for task, metrics in summary.get(part, {}).items()
        for metric, value in metrics.items()
    ]
    table = tabulate(rows, ["task", "metric", "value"], disable_numparse=True)
    tail = f"overall {shown_score(summary['overall'])}, mean {shown_score(summary['mean'])}"
    if "best_epoch" in summary:
        tail += (
            f"; best epoch {summary['best_epoch']}, {summary['seconds']:.0f} s, "
            f"{summary['tokens_per_second']:,.0f} tokens/s"
        )
    return f"{table}\n\n{tail}"


def machine(summary: Mapping[str, Any]) -> str:
    """Processor, threads, precision and versions of a run, in one line."""
    threads, versions = summary["threads"], summary["versions"]
    return (
        f"{summary['processor']}, {threads} thread{'' if threads == 1 else 's'}, "
        f"{summary['precision']}; mtbert {versions['mtbert']}, torch {versions['torch']}."
    )
