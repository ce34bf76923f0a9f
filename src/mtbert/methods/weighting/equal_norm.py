"""Equal norms: every task's shared gradient made as long as they are on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.base import LossWeighting

__all__ = ["EqualNorm"]


class EqualNorm(LossWeighting):
    """Scales every task's shared gradient to the mean of the tasks' norms.

    The weight of task i is mean(n) / n_i, with n_i a running mean of the norms of its gradients
    before the weight: those of a step are known only after it. They contain `loss_weight` and the
    sampler's factor, which are therefore evened out as well.

    It costs one copy of the shared gradient a task, and a step waits for the one before. A frozen
    encoder has no shared gradient, and its weights are 1. Leave it where a task is nearly learned:
    what is left of its gradient is noise, and is made as long as the others. It is GradNorm's
    target at alpha = 0, reached at once (Chen et al. 2018, equation 2).
    """

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = True

    name: Literal["equal_norm"] = "equal_norm"
    memory: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="Of the running means of the norms; 0: only the last step counts."
    )

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        known = {task: norm for task, norm in state.items() if norm > 0}
        mean = sum(known.values()) / max(len(known), 1)
        return {task: mean / norm for task, norm in known.items()}

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        given = self.weights(state, at)
        raw = {task: norm / given.get(task, 1.0) for task, norm in (norms or {}).items()}
        means = {t: self.memory * state.get(t, n) + (1 - self.memory) * n for t, n in raw.items()}
        return state | means

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        return state
