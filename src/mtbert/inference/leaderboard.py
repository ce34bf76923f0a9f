"""The course's leaderboard files, byte for byte as its own code writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtbert.io import atomic

__all__ = ["LEADERBOARD", "LeaderboardTask", "write_predictions"]


@dataclass(frozen=True, slots=True)
class LeaderboardTask:
    """One task of the leaderboard: its column title, data files and kind of value."""

    title: str
    dev: str
    test: str
    whole: bool


LEADERBOARD = {
    "sst": LeaderboardTask("Sentiment", "ids-sst-dev.csv", "ids-sst-test-student.csv", True),
    "para": LeaderboardTask("Is_Paraphrase", "quora-dev.csv", "quora-test-student.csv", True),
    "sts": LeaderboardTask("Similiary", "sts-dev.csv", "sts-test-student.csv", False),
}


def write_predictions(path: Path, task: LeaderboardTask, rows: Iterable[tuple[str, float]]) -> int:
    """Write `id , value` lines under the course's header; returns their number.

    Args:
        path: the file, replaced as a whole.
        task: gives the title and whether values are whole numbers.
        rows: (id, value) in the input's order.
    """
    count = 0
    with atomic.new_file(path) as stream:
        stream.write(f"id \t Predicted_{task.title} \n")
        for row_id, value in rows:
            count += 1
            stream.write(f"{row_id} , {int(value) if task.whole else value} \n")
    return count
