"""Jobs of a study seen from outside: their environment, how far they are, why they failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from mtbert.io.bounded import open_regular
from mtbert.runs.scores import main_score

__all__ = ["THREAD_VARIABLES", "last_step", "shown_scores", "why_failed", "with_threads"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def with_threads(threads: int) -> dict[str, str]:
    """This process's environment, for a run with so many threads."""
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))


def last_step(path: Path) -> int:
    """The last step in a run's metrics.jsonl, which may be growing; 0 if there is none."""
    lines = _end(path / "metrics.jsonl").split(b"\n")[:-1]  # after the last line end: unfinished
    try:
        return int(json.loads(lines[-1])["step"])
    except (IndexError, ValueError, KeyError, TypeError):
        return 0


def why_failed(path: Path, code: int) -> str:
    """Why a run failed: mtbert's own message, else the last line of its log."""
    if code < 0:
        return f"ended by signal {-code}"
    lines = _end(path / "log.txt").decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.startswith("mtbert: ")] or [x for x in lines if x]
    return told[-1].removeprefix("mtbert: ") if told else f"exit code {code}"


def shown_scores(summary: Mapping[str, object]) -> str:
    """The main score of each task of a finished run, and its time."""
    dev = summary["dev"]
    assert isinstance(dev, dict)
    scores = {task: main_score(metrics) for task, metrics in dev.items()}
    parts = [f"{t} undefined" if s is None else f"{t} {s:.4f}" for t, s in scores.items()]
    return f"{', '.join(parts)}, {summary['seconds']:.0f} s"


def _end(path: Path) -> bytes:
    """The last bytes of a file, which may be growing; none if it is not there."""
    try:
        with open_regular(path) as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 8192))
            return stream.read(8192)
    except FileNotFoundError:
        return b""
