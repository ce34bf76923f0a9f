"""MGDA: the shortest combination of the gradients (Désidéri 2012; Sener and Koltun 2018)."""

from __future__ import annotations

from typing import Literal

from mtbert.methods.aggregation.base import StatelessAggregator
from mtbert.methods.aggregation.gram import Array, minimum_norm_point, scaled_rows

__all__ = ["MGDA"]


class MGDA(StatelessAggregator):
    """Follows the shortest vector among all averages of the gradients.

    No other direction of its length improves the task that it improves least by as much. It leans
    towards the shortest gradients, and is zero where an average of the gradients is: no task then
    gains but at the cost of another. Leave it where the lengths of the gradients differ much: it
    then trains the task that has least to learn.

    The factors minimise |sum_i w_i g_i| over w_i >= 0 with sum_i w_i = 1, times the number of
    tasks, since gradients are summed here and not averaged. Sener and Koltun approach them by
    Frank-Wolfe; here an active-set method finds them exactly. Source: Désidéri 2012; Sener and
    Koltun 2018, equation 3.
    """

    name: Literal["mgda"] = "mgda"

    def factors(self, gram: Array) -> Array:
        return len(gram) * minimum_norm_point(scaled_rows(gram))
