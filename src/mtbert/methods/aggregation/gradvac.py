"""GradVac: gradients turned towards each other as far as is usual for them (Wang et al. 2021).

As in PCGrad, g_i' = sum_k C_ik g_k stays in the span of the gradients, and the algorithm runs on
the coefficients C and the Gram matrix G.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.gram import Array, power_of_two
from mtbert.methods.base import MethodState, Permute

__all__ = ["GradVac"]

_TINY = float(np.finfo(np.float64).tiny)
_LARGEST_TARGET = 1 - 1e-8  # with the target 1, no multiple of the other gradient would do


class GradVac(GramAggregator):
    """Turns each task's gradient towards another's where they agree less than they usually do.

    The target of a pair is the running mean of their cosine. Where it is negative, or zero as in
    the first step, fewer pairs are touched than by PCGrad, or the same; where tasks usually agree,
    a gradient is turned even if it does not conflict. Targets are of whole gradients, the paper's
    coarsest granularity. Leave it where tasks agree only for a while: a target that is high from
    then turns gradients far, and makes them long.

    With the cosine p of g_i' and g_j below their target t, g_i' += |g_i'| (t sqrt(1 - p^2) -
    p sqrt(1 - t^2)) / (|g_j| sqrt(1 - t^2)) g_j, after which their cosine is t; then t becomes
    (1 - beta) t + beta p. Source: Wang et al. 2021, Algorithm 1, with the others in random order.
    """

    needs_gram: ClassVar[bool] = True

    name: Literal["gradvac"] = "gradvac"
    beta: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Share of the newest cosine in the running mean; 0 is PCGrad."
    )

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self,
        gram: Array,
        tasks: Sequence[str],
        state: MethodState,
        permute: Permute,
    ) -> tuple[list[float], MethodState]:
        scaled = gram / power_of_two(float(np.abs(gram).max(initial=0)))
        weights, later = np.zeros(len(gram)), dict(state)
        for i, task in enumerate(tasks):
            order = [j for j in permute(len(gram)) if j != i]
            targets = dict(state.get(task, {}))
            weights += self._turned(i, scaled, order, tasks, targets)
            if targets:
                later[task] = targets
        return weights.tolist(), later

    def _turned(
        self,
        i: int,
        gram: Array,
        order: Sequence[int],
        tasks: Sequence[str],
        targets: dict[str, float],
    ) -> Array:
        """Coefficients of gradient `i` after its turns; its targets move in place."""
        coefficients = np.zeros(len(gram))
        coefficients[i] = 1.0
        for j in order:
            products = gram @ coefficients
            square = float(coefficients @ products)
            if j >= len(tasks) or gram[j, j] < _TINY or square < _TINY:
                continue
            length, other = math.sqrt(square), math.sqrt(gram[j, j])
            cosine = min(max(float(products[j]) / length / other, -1.0), 1.0)
            target = targets.get(tasks[j], 0.0)
            if cosine < target:
                wanted, found = _tangent(target), _sine(cosine)
                coefficients[j] += length / other * (found * wanted - cosine)
            moved = (1 - self.beta) * target + self.beta * cosine
            targets[tasks[j]] = min(moved, _LARGEST_TARGET)
        return coefficients


def _sine(cosine: float) -> float:
    return math.sqrt((1 - cosine) * (1 + cosine))


def _tangent(cosine: float) -> float:
    """cosine / sine: what is left of the fraction when both are divided by sqrt(1 - t^2)."""
    return cosine / _sine(cosine)
