"""PCGrad: projecting conflicting gradients (Yu et al. 2020, Algorithm 1; the paper, equation 1).

g_i is projected to the normal plane of g_j when the two conflict. Each projected gradient stays
in the span of the originals, g_i' = sum_j C_ij g_j, so the algorithm runs on the coefficients C
and the Gram matrix G alone:

    g_i' . g_j = (C G)_ij        g_i' -= (g_i' . g_j / |g_j|^2) g_j   <=>   C_ij -= (C G)_ij / G_jj
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.gram import power_of_two
from mtbert.methods.base import MethodState, Permute

__all__ = ["PCGrad"]

_TINY = float(np.finfo(np.float64).tiny)


class PCGrad(GramAggregator):
    """Projects each task's gradient away from those it conflicts with.

    Two gradients conflict when their inner product is negative. Every task is projected against
    the others' original gradients, in a random order of its own. A gradient of norm zero, or below
    1e-154 of the longest one, conflicts with nothing and is never divided by. With three tasks or
    more, a later projection may bring an earlier conflict back. Leave it where gradients hardly
    conflict: it then is the plain sum, and its cost. Source: Yu et al.
    2020, Algorithm 1; the paper, equation 1.
    """

    needs_gram: ClassVar[bool] = True

    name: Literal["pcgrad"] = "pcgrad"

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self,
        gram: NDArray[np.float64],
        tasks: Sequence[str],
        state: MethodState,
        permute: Permute,
    ) -> tuple[list[float], MethodState]:
        rows = (gram / power_of_two(float(np.abs(gram).max(initial=0)))).tolist()
        weights = [0.0] * len(rows)
        for i in range(len(tasks)):
            coefficients = _projected(i, rows, permute(len(rows)))
            weights = [w + c for w, c in zip(weights, coefficients, strict=True)]
        return weights, state


def _projected(i: int, rows: Sequence[Sequence[float]], order: Sequence[int]) -> list[float]:
    """Coefficients of gradient `i` after its projections, in this order of the others."""
    coefficients = [0.0] * len(rows)
    coefficients[i] = 1.0
    for j in order:
        if j == i or rows[j][j] < _TINY:
            continue
        product = sum(c * rows[k][j] for k, c in enumerate(coefficients))
        if product < 0:
            coefficients[j] -= product / rows[j][j]
    return coefficients
