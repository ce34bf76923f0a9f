"""Scores of the tasks → weights that sum to their number."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["softmax", "weights_of"]


def softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Shares in proportion to the exponentials of the scores."""
    largest = max(scores.values())
    powers = {task: math.exp(score - largest) for task, score in scores.items()}
    total = sum(powers.values())
    return {task: power / total for task, power in powers.items()}


def weights_of(shares: Mapping[str, float]) -> dict[str, float]:
    """Scaled to sum to the number of tasks, as weights of 1 do."""
    factor = len(shares) / sum(shares.values())
    return {task: factor * share for task, share in shares.items()}
