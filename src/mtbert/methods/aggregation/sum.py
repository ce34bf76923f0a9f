"""The plain sum of the tasks' gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.base import MethodState, Permute

__all__ = ["Sum"]


class Sum(GramAggregator):
    """The tasks' gradients add up, as those of the sum of the losses do."""

    needs_gram: ClassVar[bool] = False

    name: Literal["none"] = "none"

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(
        self,
        gram: NDArray[np.float64],
        tasks: Sequence[str],
        state: MethodState,
        permute: Permute,
    ) -> tuple[list[float], MethodState]:
        return [1.0] * len(tasks) + [0.0] * (len(gram) - len(tasks)), state
