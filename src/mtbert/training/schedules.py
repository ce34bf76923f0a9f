"""Learning-rate schedules: the factor of the peak rate at each step."""

from __future__ import annotations

import math

__all__ = ["rate_factor"]


def rate_factor(schedule: str, warmup: float, step: int, total: int) -> float:
    """Factor of the peak learning rate at a step counted from 0 out of `total`.

    Rises linearly over the first `warmup` share of the steps, ending at 1; then stays
    (`constant`), falls in a line (`linear`) or in half a cosine (`cosine`) towards 0, which it
    would reach at step `total`.
    """
    rising = round(warmup * total)
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / max(1, total - rising)
    match schedule:
        case "linear":
            return 1 - progress
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        case _:
            return 1.0
