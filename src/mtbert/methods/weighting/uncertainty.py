"""Homoscedastic uncertainty: each loss over its learned variance (Kendall, Gal, Cipolla 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.adam import begin, descend, values
from mtbert.methods.weighting.base import LossWeighting

__all__ = ["Uncertainty"]

_LOWEST = -20.0
"""Of a log variance: losses of exactly zero would let it fall for ever."""


class Uncertainty(LossWeighting):
    """Divides each loss by a variance that is learned beside the network.

    With s_i the log variance of task i, both the network and s descend

        sum_i exp(-s_i) L_i + s_i / 2        d/ds_i = 1/2 - exp(-s_i) L_i

    which draws the factor exp(-s_i) towards 1 / (2 L_i). This is the form for classes; that for
    regression halves its first term, whose factor exp(-s_i) / 2 is drawn towards the same
    1 / (2 L_i), so one form serves all kinds of tasks: a regression merely begins at twice the
    factor. s begins at 0, a factor of 1, and is updated by Adam. L_i is the loss before the
    sampler's factor and `loss_weight`, which keep their effect.

    It costs nothing but that a step waits for the losses of the one before. Leave it where a task
    can be learned to a loss near zero, whose factor then grows without end, and in runs of few
    steps, in which s has no time to move. Source: Kendall, Gal and Cipolla 2018, their multi-task
    likelihoods, with the log variance learned for the sake of stability.
    """

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = False

    name: Literal["uncertainty"] = "uncertainty"
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.01, description="Of the log variances.")

    def start(self, tasks: Sequence[str]) -> MethodState:
        return begin(tasks, 0.0)

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        return {task: math.exp(-s) for task, s in values(state).items()}

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        given = self.weights(state, at)
        slopes = {task: 0.5 - given[task] * loss for task, loss in losses.items()}
        learned = descend(state, slopes, self.learning_rate)
        return {t: one | {"value": max(one["value"], _LOWEST)} for t, one in learned.items()}

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        return state
