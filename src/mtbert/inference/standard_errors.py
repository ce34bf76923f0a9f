"""Scores of different metrics and data sets on one scale: in units of their standard error."""

from __future__ import annotations

import math

__all__ = ["in_standard_errors"]

_NEARLY_ONE = 1 - 1e-9
"""Beyond it a correlation is one; Fisher's z has no value there."""


def in_standard_errors(metric: str, value: float, rows: int) -> float:
    """A score on the scale on which its standard error is one, wherever it lies.

    One answer more in a hundred is noise, and so is a hundredth of a correlation at 0.5; at 0.95 it
    is not. A sum of such numbers therefore says which of two evaluations is better, where a sum of
    the scores themselves is ruled by the metric with the largest noise.

    A share of right answers `p`: Anscombe 1948 (eq. 1.3), `2 sqrt(n + 1/2) arcsin sqrt((n p + 3/8)
    / (n + 3/4))`. A correlation `r`: Fisher 1921, `sqrt(n - 3) artanh r`. Another score from 0 to 1
    (an F1) is taken for a share.

    Args:
        metric: its name.
        value: of it; NaN stays NaN.
        rows: of the set that was scored.
    """
    if math.isnan(value):
        return value
    if metric == "pearson":
        return math.sqrt(max(rows - 3, 1)) * math.atanh(max(-_NEARLY_ONE, min(value, _NEARLY_ONE)))
    share = (rows * value + 3 / 8) / (rows + 3 / 4)
    return 2 * math.sqrt(rows + 1 / 2) * math.asin(math.sqrt(share))
