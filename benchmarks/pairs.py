"""How many real tokens a second does fine-tuning on pairs see? training.py's question on STS."""

from __future__ import annotations

from benchmarks import training
from benchmarks.common import Result

ROUNDS = training.ROUNDS


def run(rounds: int) -> Result:
    """Each pair one sequence with segment ids, a regression with the mean squared error."""
    return training.run(rounds, "sts")
