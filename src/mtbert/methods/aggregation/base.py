"""The aggregator interfaces: from the Gram matrix of the tasks' gradients, or by coordinate.

Every method that combines gradients linearly needs no more than their inner products, so the
gradients themselves are touched twice: once for the Gram matrix, once for the weighted sum. What
decides about each coordinate for itself sees the gradients, one parameter at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.base import Method, MethodState, Permute

__all__ = ["Aggregator", "CoordinateAggregator", "GramAggregator", "StatelessAggregator"]


class Aggregator(Method, ABC):
    """Makes one direction of the tasks' shared gradients.

    Attributes:
        needs_gram: whether it needs the inner products of the gradients.
    """

    needs_gram: ClassVar[bool]

    @property
    @abstractmethod
    def sets_aside(self) -> bool:
        """Whether gradients must be set aside, task by task; if not, they add up where they are."""

    @abstractmethod
    def start(self, tasks: Sequence[str]) -> MethodState:
        """The state before the first step of a phase that trains these tasks."""


class GramAggregator(Aggregator, ABC):
    """Decides the factor of each task's shared gradient in the sum.

    Without need of inner products, all factors are 1, and the gradients add up where they are.
    """

    @property
    def sets_aside(self) -> bool:
        return self.needs_gram

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


class CoordinateAggregator(Aggregator, ABC):
    """Decides about each coordinate of the gradients for itself."""

    needs_gram: ClassVar[bool] = False

    @property
    def sets_aside(self) -> bool:
        return True

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    @abstractmethod
    def combine(self, gradients: Sequence[Any], uniform: Any) -> Any:
        """The direction at some coordinates.

        All are tensors, or all arrays, of one shape: what is written with operators and methods
        that both have needs no library.

        Args:
            gradients: one a task; a task without a gradient there is left out.
            uniform: random numbers from [0, 1), the same ones whenever this step is computed.

        Returns:
            Of the same shape.
        """
