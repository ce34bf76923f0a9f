"""GEM: no step against the tasks before (Lopez-Paz and Ranzato 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.gram import (
    Array,
    cosine_matrix,
    lengths_of,
    nonnegative_least_squares,
    unit_rows,
)
from mtbert.methods.base import MethodState, Permute

__all__ = ["GEM"]


class GEM(GramAggregator):
    """Changes the gradient by as little as lets it conflict with no earlier task's memory.

    With g the gradient and m_k those of the earlier tasks' memories (`batching: sequential`), the
    direction is

        g + sum_k v_k m_k        v = argmin |g + sum_k v_k m_k|^2 for v >= margin

    if g conflicts with one of them, else g. It is the dual of the quadratic program whose solution
    is the vector nearest to g that has no negative inner product with any m_k; it has as many
    unknowns as there are earlier tasks. To first order, no step makes the loss of a memory grow.

    It costs a batch and a copy of the shared gradient for every earlier task. Leave it where the
    tasks are trained together: without constraints it is the plain sum. Source: Lopez-Paz and
    Ranzato 2017, and the margin as in the authors' code, where it is 0.5.
    """

    needs_gram: ClassVar[bool] = True
    takes_references: ClassVar[bool] = True

    name: Literal["gem"] = "gem"
    margin: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Least factor of each memory's gradient once there is a conflict."
    )

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self, gram: Array, tasks: Sequence[str], state: MethodState, permute: Permute
    ) -> tuple[list[float], MethodState]:
        count, factors = (
            len(tasks),
            np.append(np.ones(len(tasks)), np.zeros(len(gram) - len(tasks))),
        )
        lengths, units = lengths_of(gram), unit_rows(cosine_matrix(gram))
        longest = float(lengths.max(initial=0.0))
        if longest == 0:
            return factors.tolist(), state
        shares = lengths / longest
        followed, memories = shares[:count] @ units[:count], units[count:]
        if (memories @ followed >= 0).all():
            return factors.tolist(), state
        pushed = followed + self.margin * shares[count:] @ memories
        change = nonnegative_least_squares(memories.T, -pushed)
        factors[count:] = self.margin + np.divide(
            change, shares[count:], out=np.zeros_like(change), where=shares[count:] > 0
        )
        return factors.tolist(), state
