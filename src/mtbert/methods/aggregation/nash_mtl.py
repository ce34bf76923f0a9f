"""Nash-MTL: the tasks bargain for a direction (Navon et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.gram import Array, cosine_matrix, lengths_of
from mtbert.methods.base import MethodState, Permute

__all__ = ["NashMTL"]

_ROUNDS = 100
_LARGEST = 1e6
"""In units of 1 / length. Beyond it an average of the unit gradients is shorter than some 1e-6, and
no direction improves every task by more than what rounding adds and takes away."""


class NashMTL(GramAggregator):
    """Follows the direction in which the product of the tasks' gains is largest.

    That is the Nash bargaining solution: a task gives way only for a gain of the others that is
    larger in proportion. How long the gradients are has no say; the step's own length is always
    sqrt(tasks). Where no direction improves every task, there is no agreement, and the shared
    parameters stay where they are. Leave it where a task's small gradient means that the task is
    learned: it then counts as much as before, noise and all.

    The factors solve G a = 1 / a. They are where the convex function a' G a / 2 - sum_i log a_i is
    least, which Newton's method finds to the last digits; the paper approaches them through a
    series of convex problems. Source: Navon et al. 2022, Claim 3.1 and Algorithm 1;
    `update_every`: section 3.3.
    """

    needs_gram: ClassVar[bool] = True

    name: Literal["nash_mtl"] = "nash_mtl"
    update_every: Annotated[int, Field(ge=1)] = Field(
        1, description="Steps between bargains; until the next one, the last factors are kept."
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
        references = [0.0] * (len(gram) - len(tasks))
        known: dict[str, float] = state.get("factors", {})
        age: int = state.get("age", 0)
        if age % self.update_every and all(task in known for task in tasks):
            return [*(known[task] for task in tasks), *references], {**state, "age": age + 1}
        factors: list[float] = _bargain(gram[: len(tasks), : len(tasks)]).tolist()
        if self.update_every > 1:
            state = {"factors": dict(zip(tasks, factors, strict=True)), "age": 1}
        return [*factors, *references], state


def _bargain(gram: Array) -> Array:
    """The a > 0 with G a = 1 / a; zero for tasks without a gradient, for all without agreement."""
    lengths = lengths_of(gram)
    found = lengths > 0
    factors = np.zeros(len(gram))
    if found.any():
        factors[found] = _solve(cosine_matrix(gram)[np.ix_(found, found)]) / lengths[found]
    return factors


def _solve(cosines: Array) -> Array:
    """The a > 0 with C a = 1 / a, by damped Newton steps (self-concordant, so they converge)."""
    factors = np.ones(len(cosines))
    for _ in range(_ROUNDS):
        length = float(factors @ cosines @ factors)
        # The best multiple: a' C a is the number of tasks at the solution.
        if length > 0:
            factors = factors * math.sqrt(len(cosines) / length)
        if length <= 0 or factors.max() > _LARGEST:
            return np.zeros(len(cosines))
        gradient = cosines @ factors - 1 / factors
        # In units of each factor, in which the matrix is well scaled.
        hessian = cosines * factors[:, None] * factors + np.eye(len(cosines))
        step = -np.linalg.solve(hessian, gradient * factors)
        decrement = math.sqrt(max(float(-(gradient * factors) @ step), 0.0))
        factors = factors * (1 + step / (1 + decrement))
        if decrement <= 1e-14:
            break
    return factors
