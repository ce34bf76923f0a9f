"""The aggregator interface: the Gram matrix of the tasks' gradients → weights of their sum.

Every method that combines gradients linearly needs no more than their inner products, so the
gradients themselves are touched twice: once for the Gram matrix, once for the weighted sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.base import Method, MethodState, Permute

__all__ = ["GramAggregator", "StatelessAggregator"]


class GramAggregator(Method, ABC):
    """Decides the factor of each task's shared gradient in the sum.

    Attributes:
        needs_gram: whether gradients must be set aside and multiplied with each other; if not,
            they add up where they are, as `weights` of 1 would have them do.
    """

    needs_gram: ClassVar[bool]

    @abstractmethod
    def start(self, tasks: Sequence[str]) -> MethodState:
        """The state before the first step of a phase that trains these tasks."""

    @abstractmethod
    def weights(
        self,
        gram: NDArray[np.float64],
        tasks: Sequence[str],
        state: MethodState,
        permute: Permute,
    ) -> tuple[list[float], MethodState]:
        """The factors of one step, and the state after it.

        Args:
            gram: `[rows, rows]`, inner products of the tasks' gradients, every factor of their
                losses included.
            tasks: of the first rows. Further rows, if there are any, are gradients that constrain
                the direction and are not followed.
            state: before the step; it is not changed in place.
            permute: gives random orders, the same ones whenever this step is computed.

        Returns:
            `[rows]`, one factor a row, and the state.
        """


class StatelessAggregator(GramAggregator, ABC):
    """Decides the factors from the inner products of the tasks' gradients and nothing else.

    Gradients that only constrain are not looked at.
    """

    needs_gram: ClassVar[bool] = True

    @abstractmethod
    def factors(self, gram: NDArray[np.float64]) -> NDArray[np.float64]:
        """The factors of one step.

        Args:
            gram: `[tasks, tasks]`, inner products of the gradients that are followed.

        Returns:
            `[tasks]`.
        """

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self,
        gram: NDArray[np.float64],
        tasks: Sequence[str],
        state: MethodState,
        permute: Permute,
    ) -> tuple[list[float], MethodState]:
        followed = len(tasks)
        factors: list[float] = self.factors(gram[:followed, :followed]).tolist()
        return [*factors, *[0.0] * (len(gram) - followed)], state
