"""Random loss weighting: new weights every step (Lin et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.softmax import softmax, weights_of

__all__ = ["Random"]


class Random(LossWeighting):
    """Draws the weights anew in every step: the baseline that a clever weighting has to beat.

    They are the softmax of one standard normal number a task, scaled to sum to the number of
    tasks, and a function of seed and step. It costs nothing. Use it in comparisons only.
    Source: Lin, Ye, Zhang and Tsang 2022, random loss weighting with normal numbers.
    """

    observes: ClassVar[bool] = False
    needs_norms: ClassVar[bool] = False

    name: Literal["random"] = "random"

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {"tasks": list(tasks)}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        tasks = state["tasks"]
        scores = np.random.default_rng(at.seed).standard_normal(len(tasks)).tolist()
        return weights_of(softmax(dict(zip(tasks, scores, strict=True))))

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        return state

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        return state
