"""CAGrad: the best for the worst task, near the plain sum (Liu et al. 2021, Conflict-Averse)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from mtbert.methods.aggregation.base import StatelessAggregator
from mtbert.methods.aggregation.gram import (
    Array,
    minimum_norm_point,
    nonnegative_least_squares,
    scaled_rows,
)

__all__ = ["CAGrad"]

_ROUNDS = 60
_STATIONARY = 1e-12
"""Length, in units of the longest gradient, below which an average of the gradients is zero."""


class CAGrad(StatelessAggregator):
    """Stays near the sum of the gradients and improves the task that gains least as much as it can.

    The direction d has the largest min_i g_i' d within |d - g_0| <= c |g_0|, where g_0 is the sum
    (the paper's average, times the number of tasks). `c: 0` is the plain sum; the larger `c` is,
    the nearer the direction comes to MGDA's. Below 1 it still leads to a minimum of the summed
    loss, which the projections of PCGrad do not promise. Leave it where no task is held back by the
    others: it then still bends the step towards the task that gains least.

    d = g_0 + u for a u that is a non-negative combination of the gradients, with factors from the
    paper's dual problem. Where no direction in the ball improves every task and one worsens none,
    it is the nearest of these to g_0. Source: Liu et al. 2021, Conflict-Averse Gradient Descent,
    equation 3 and Algorithm 1.
    """

    name: Literal["cagrad"] = "cagrad"
    c: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="Radius of the ball around the sum, in units of the sum's length."
    )

    def factors(self, gram: Array) -> Array:
        rows = scaled_rows(gram)
        total = rows.sum(axis=0)
        radius = self.c * float(np.linalg.norm(total))
        if radius == 0:
            return np.ones(len(gram))
        return 1.0 + _change(rows, total, radius)


def _change(rows: Array, total: Array, radius: float) -> Array:
    """Factors of u.

    In the dual problem, min_w w' R g_0 + radius |R' w| over the simplex, u = R' w / t where w is
    the point of the hull of the g_i + t g_0 that is nearest to zero, and |R' w| = t * radius.
    That t is looked for: |R' w(t)| / t falls with t, and between two neighbouring t w is linear.
    The least change that worsens no task has such factors too, w / t; it is one end of the search.
    """
    low, high = 0.0, 2 * float(np.linalg.norm(rows, axis=1).max()) / radius
    resolved = nonnegative_least_squares(rows.T, -total)
    if float(np.linalg.norm(resolved @ rows)) > radius:
        low = 1 / float(resolved.sum())
    elif float(np.linalg.norm(minimum_norm_point(rows) @ rows)) <= _STATIONARY:
        return resolved
    at_low, at_high = (minimum_norm_point(rows + t * total) for t in (low, high))
    for round_ in range(_ROUNDS):
        t = (low + high) / 2
        if round_ % 3 < 2:
            t = _root_between(at_low @ rows, at_high @ rows, low, high, radius)
        weights = minimum_norm_point(rows + t * total)
        excess = float(np.linalg.norm(weights @ rows)) - t * radius
        if abs(excess) <= 1e-15 * t * radius or not low < t < high:
            break
        if excess > 0:
            low, at_low = t, weights
        else:
            high, at_high = t, weights
    return weights / t


def _root_between(a: Array, b: Array, low: float, high: float, radius: float) -> float:
    """The t at which the point on the way from a, at `low`, to b, at `high`, is t * radius long."""
    slope = (b - a) / (high - low)
    start = a - low * slope
    square = float(slope @ slope) - radius**2
    half, constant = float(slope @ start), float(start @ start)
    root = math.sqrt(max(half**2 - square * constant, 0.0))
    # square < 0: the length grows slower than t * radius in the end.
    t = -constant / (half - root) if half < root else (low + high) / 2
    return t if low < t < high else (low + high) / 2
