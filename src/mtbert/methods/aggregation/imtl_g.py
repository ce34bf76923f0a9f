"""IMTL-G: the direction that all tasks share equally (Liu et al. 2021, Impartial MTL)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mtbert.methods.aggregation.base import StatelessAggregator
from mtbert.methods.aggregation.gram import Array, cosine_matrix, lengths_of

__all__ = ["IMTLG"]


class IMTLG(StatelessAggregator):
    """Follows the direction that has the same angle to every task's gradient.

    How long the gradients are has no say in the direction. Leave it with three tasks or more that
    conflict: factors are then negative or large, and where they add up to 1 only by their signs,
    the direction may lead all tasks uphill.

    u_i' (sum_j a_j g_j) is the same for all unit gradients u_i, and sum_j a_j = 1; this, times the
    number of tasks, since gradients are summed here and not averaged. Where gradients depend on
    each other, the pseudo-inverse of their cosines takes the place of the inverse; where the
    factors cannot add up to 1, they are zero. Source: Liu et al. 2021, Towards Impartial Multi-task
    Learning, equations 1 and 2.
    """

    name: Literal["imtl_g"] = "imtl_g"

    def factors(self, gram: Array) -> Array:
        tasks, lengths = len(gram), lengths_of(gram)
        found = lengths > 0
        if not found.any():
            return np.zeros(tasks)
        inverse = np.linalg.pinv(
            cosine_matrix(gram), rcond=tasks * np.finfo(np.float64).eps, hermitian=True
        )
        shortest = lengths[found].min()
        share = np.divide(shortest, lengths, out=np.zeros(tasks), where=found)
        factors: Array = inverse[:, found].sum(axis=1) * share
        total = float(factors.sum())
        if abs(total) <= 1e-12 * float(np.abs(factors).sum()):
            return np.zeros(tasks)
        return tasks * factors / total
