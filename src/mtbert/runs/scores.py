"""Scores in a run's files, a task's main metric first, and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["main_metric", "main_score", "shown_score"]


def main_metric(metrics: Mapping[str, float | None]) -> str:
    """The name of a task's main metric: files list metrics as `TargetKind.metrics` does."""
    return next(iter(metrics))


def main_score(metrics: Mapping[str, float | None] | None) -> float | None:
    """Its value; None where it is undefined, or where there are no metrics."""
    value = metrics[main_metric(metrics)] if metrics else None
    return None if value is None else float(value)


def shown_score(value: float | None) -> str:
    """Four digits, or a word where there is no number."""
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"
