"""Dynamic weight average: more for tasks whose losses fall slowly (Liu et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.softmax import softmax, weights_of

__all__ = ["DynamicAverage"]


class DynamicAverage(LossWeighting):
    """Weighs tasks by how slowly their losses fell over the last two epochs.

    With L_i(e) the mean loss of task i in epoch e, the weights of an epoch are, with K tasks,

        K softmax(r / temperature)        r_i = L_i(e - 1) / L_i(e - 2)

    and 1 in the first two epochs. It costs nothing but that a step waits for the losses of the one
    before. Leave it in runs of few epochs: with fewer than three it does nothing. Source:
    Liu, Johns and Davison 2019, the section on dynamic weight average.
    """

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = False

    name: Literal["dynamic_average"] = "dynamic_average"
    temperature: Annotated[float, Field(gt=0)] = Field(
        2.0, description="The higher, the more equal the weights."
    )

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {"ratios": dict.fromkeys(tasks, 1.0), "losses": {}}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        return weights_of(softmax({t: r / self.temperature for t, r in state["ratios"].items()}))

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        return state

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        before = state["losses"]
        new = {task: loss / before[task] for task, loss in mean_losses.items() if before.get(task)}
        return {"ratios": {**state["ratios"], **new}, "losses": {**before, **mean_losses}}
