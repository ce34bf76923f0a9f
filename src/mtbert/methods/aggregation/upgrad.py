"""UPGrad: every gradient without its conflicts, then their sum (Quinton and Rey 2024)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mtbert.methods.aggregation.base import StatelessAggregator
from mtbert.methods.aggregation.gram import (
    Array,
    cosine_matrix,
    lengths_of,
    nonnegative_least_squares,
    unit_rows,
)

__all__ = ["UPGrad"]


class UPGrad(StatelessAggregator):
    """Changes each gradient by as little as lets it conflict with none, and sums the results.

    Where PCGrad removes one conflict after the other, in random order, and may bring back an
    earlier one, each gradient is projected onto the cone of all vectors that conflict with no
    task's gradient. No task is worsened by the result, to first order; without conflicts it is the
    plain sum, and with two tasks it is PCGrad. Leave it where gradients hardly conflict, or where
    one task is meant to give way to another.

    The projection of g_i is sum_j v_j g_j with the v >= e_i that makes it shortest, a quadratic
    program in as many unknowns as there are tasks. Source: Quinton and Rey 2024, equations 3 to 6,
    whose average is a sum here.
    """

    name: Literal["upgrad"] = "upgrad"

    def factors(self, gram: Array) -> Array:
        lengths, units = lengths_of(gram), unit_rows(cosine_matrix(gram))
        factors = np.ones(len(gram))
        for unit, length in zip(units, lengths, strict=True):
            if length == 0:
                continue
            change = nonnegative_least_squares(units.T, -unit)
            factors += np.divide(
                length * change, lengths, out=np.zeros_like(lengths), where=lengths > 0
            )
        return factors
