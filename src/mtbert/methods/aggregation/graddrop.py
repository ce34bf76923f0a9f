"""GradDrop: every coordinate follows one sign (Chen et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mtbert.methods.aggregation.base import CoordinateAggregator

__all__ = ["GradDrop"]


class GradDrop(CoordinateAggregator):
    """At each coordinate drops the gradients of one sign, drawn at random.

    The positive ones stay with the probability P, their share of the sum of absolute values; else
    the negative ones do. Where all tasks agree, that is the plain sum. The step is the more random
    the more the tasks disagree, and longer than the plain sum's. The paper drops gradients of
    activations that the tasks share; here each task has a batch of its own, so it is those of
    parameters. Leave it where batches are small: their noise alone makes signs differ, and most of
    what is dropped is then no conflict.

    P = (1 + sum_i g_i / sum_i |g_i|) / 2 is compared with a uniform number u: g_i stays if it is
    positive and P > u, or negative and P < u. Source: Chen et al. 2020, Algorithm 1, with f the
    identity and no leak.
    """

    name: Literal["graddrop"] = "graddrop"

    def combine(self, gradients: Sequence[Any], uniform: Any) -> Any:
        positive = sum(gradient.clip(min=0) for gradient in gradients)
        negative = sum(gradient.clip(max=0) for gradient in gradients)
        # P > u without a division: where all gradients are zero, so is the direction.
        threshold = uniform * (positive - negative)
        return positive * (positive > threshold) + negative * (positive < threshold)
