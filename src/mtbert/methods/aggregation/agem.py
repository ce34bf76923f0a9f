"""A-GEM: no step against the mean of the tasks before (Chaudhry et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.gram import Array, power_of_two
from mtbert.methods.base import MethodState, Permute

__all__ = ["AGEM"]

_NEGLIGIBLE = 1e-30


class AGEM(GramAggregator):
    """Projects the gradient away from the mean of the earlier tasks' memories if they conflict.

    With g the gradient and r the mean of the gradients of the earlier tasks' memories
    (`batching: sequential`), the direction is

        g - (g . r / r . r) r        where g . r < 0, else g

    One constraint takes the place of GEM's many: their mean does not get worse, to first order,
    but one of them may. Here it costs what GEM does, a batch for every earlier task, where the
    paper draws one from all memories; what it spares is GEM's quadratic program, which is small.
    Leave it where the tasks are trained together: without constraints it is the plain sum. Source:
    Chaudhry, Ranzato, Rohrbach and Elhoseiny 2019, the projection of averaged GEM.
    """

    needs_gram: ClassVar[bool] = True
    takes_references: ClassVar[bool] = True

    name: Literal["agem"] = "agem"

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self, gram: Array, tasks: Sequence[str], state: MethodState, permute: Permute
    ) -> tuple[list[float], MethodState]:
        count, rows = len(tasks), gram / power_of_two(float(np.abs(gram).max(initial=0)))
        factors = np.append(np.ones(count), np.zeros(len(gram) - count))
        product, square = rows[:count, count:].sum(), rows[count:, count:].sum()
        if product < 0 and square > _NEGLIGIBLE * rows[:count, :count].sum():
            factors[count:] = -product / square
        return factors.tolist(), state
