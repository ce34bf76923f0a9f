"""Fixed weights: each task's own `loss_weight`, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.base import LossWeighting

__all__ = ["Fixed"]


class Fixed(LossWeighting):
    """Each loss counts as the task's `loss_weight` says, from the first step to the last."""

    observes: ClassVar[bool] = False
    needs_norms: ClassVar[bool] = False

    name: Literal["fixed"] = "fixed"

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        return {}

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
