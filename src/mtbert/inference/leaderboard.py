"""The course's leaderboard files, byte for byte as its own code writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtbert.io import atomic

__all__ = ["LEADERBOARD", "LeaderboardTask", "write_predictions"]


@dataclass(frozen=True, slots=True)
class LeaderboardTask:
    """One task of the leaderboard.

    Attributes:
        title: of its column.
        dev: its dev file.
        test: its test file.
        number: what its values are written as. The course takes the class of a sentiment by
            argmax, an `int`, and that of a paraphrase by rounding a probability, a `float`.
    """

    title: str
    dev: str
    test: str
    number: type[int] | type[float]


LEADERBOARD = {
    "sst": LeaderboardTask("Sentiment", "ids-sst-dev.csv", "ids-sst-test-student.csv", int),
    "para": LeaderboardTask("Is_Paraphrase", "quora-dev.csv", "quora-test-student.csv", float),
    "sts": LeaderboardTask("Similiary", "sts-dev.csv", "sts-test-student.csv", float),
}


def write_predictions(path: Path, task: LeaderboardTask, rows: Iterable[tuple[str, float]]) -> int:
    """Write `id , value` lines under the course's header; returns their number.

    Args:
        path: the file, replaced as a whole.
        task: gives the title and the kind of number.
        rows: (id, value) in the input's order.
    """
    count = 0
    with atomic.new_file(path) as stream:
        stream.write(f"id \t Predicted_{task.title} \n")
        for row_id, value in rows:
            count += 1
            stream.write(f"{row_id} , {task.number(value)} \n")
    return count
