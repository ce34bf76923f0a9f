"""What was measured: a line of JSON a run, so that a second call goes on where one stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mtbert.io import atomic

__all__ = ["Records"]


class Records:
    """The runs of one data set, in `FOLDER/NAME.jsonl`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.jsonl"
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        self.runs: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def find(self, job: str, seed: int) -> dict[str, Any] | None:
        """The record of a run, if it was made."""
        found = (r for r in self.runs if r["job"] == job and r["seed"] == seed)
        return next(found, None)

    def add(self, record: dict[str, Any]) -> None:
        """Keep a record in the place of an earlier one; the file is whole at any moment."""
        same = ("job", "seed")
        others = (r for r in self.runs if any(r[key] != record[key] for key in same))
        self.runs = [*others, record]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(run) + "\n" for run in self.runs)
        atomic.write_text(self._path, text)
