"""The evaluations of a run on dev, read from its metrics.jsonl, which may be growing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mtbert.io.bounded import open_regular

__all__ = ["best_score", "evaluations"]

_LONGEST = 1 << 24
"""Bytes of a line."""


def evaluations(path: Path) -> list[dict[str, Any]]:
    """The records of a run's evaluations so far, in order; a line in the making is left out."""
    found = []
    try:
        with open_regular(path / "metrics.jsonl") as stream:
            while (line := stream.readline(_LONGEST)).endswith(b"\n"):
                if b'"kind": "dev"' in line:
                    found.append(json.loads(line))
    except (FileNotFoundError, ValueError):
        pass
    return found


def best_score(records: Iterable[Mapping[str, Any]]) -> float | None:
    """The score of the weights that were kept: that of the last evaluation that was the best.

    None before the first evaluation, or if it is undefined.
    """
    scores: list[float | None] = [record["score"] for record in records if record["best"]]
    return scores[-1] if scores else None
