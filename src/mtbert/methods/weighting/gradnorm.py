"""GradNorm: weights learned so that all tasks train at similar rates (Chen et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.adam import Learned, begin, descend, values
from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.softmax import weights_of

__all__ = ["GradNorm", "slopes"]

_LOWEST = 1e-3
"""Of a weight, so that an update never turns a task's gradient round."""


class GradNorm(LossWeighting):
    """Learns weights that give tasks gradients of similar norms, longer for those that lag behind.

    With G_i the norm of the weighted gradient w_i g_i and r_i the task's L_i / L_i(0) over the
    mean of these ratios, the weights descend by Adam, and are then scaled to sum to the number of
    tasks:

        sum_i | G_i - mean(G) r_i^alpha |        d/dw_i = sign(G_i - mean(G) r_i^alpha) |g_i|

    where mean(G) r_i^alpha counts as constant and L_i(0) is the loss of the task's first batch.
    The norms are those of all shared parameters, where the paper takes the last shared layer, and
    contain `loss_weight` and the sampler's factor, which are therefore evened out as well.

    It costs one copy of the shared gradient a task, and a step waits for the one before. Leave it
    with samplers of one task a step and with a frozen encoder, from which it learns nothing: the
    weights then stay as they are. Source: Chen et al. 2018, equation 2.
    """

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = True

    name: Literal["gradnorm"] = "gradnorm"
    alpha: Annotated[float, Field(ge=0)] = Field(
        1.5, description="How much longer the gradients of tasks that lag behind; 0: all alike."
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.01, description="Of the weights.")

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {"learned": begin(tasks, 1.0), "first_losses": {}}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        return values(state["learned"])

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        if norms is None or len(norms) < 2:
            return state
        first = {**losses, **state["first_losses"]}
        ratios = {task: loss / first[task] if first[task] else 1.0 for task, loss in losses.items()}
        given = self.weights(state, at)
        raw = {task: norm / given[task] for task, norm in norms.items()}
        learned = descend(
            state["learned"], slopes(given, raw, ratios, self.alpha), self.learning_rate
        )
        return {"learned": _renormalised(learned), "first_losses": first}

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        return state


def slopes(
    weights: Mapping[str, float],
    norms: Mapping[str, float],
    ratios: Mapping[str, float],
    alpha: float,
) -> dict[str, float]:
    """The gradient of GradNorm's own loss with respect to the weights, by task.

    Args:
        weights: of the tasks.
        norms: of their gradients, before the weights.
        ratios: their losses, over those of their first batches.
        alpha: exponent of the relative inverse training rates.
    """
    lengths = {task: weights[task] * norm for task, norm in norms.items()}
    mean = sum(lengths.values()) / len(lengths)
    rate = sum(ratios.values()) / len(ratios)
    found = {}
    for task, norm in norms.items():
        target = mean * (ratios[task] / rate) ** alpha if rate else mean
        found[task] = (
            math.copysign(norm, lengths[task] - target) if lengths[task] != target else 0.0
        )
    return found


def _renormalised(learned: Learned) -> Learned:
    """With values above zero that sum to the number of tasks; the running means stay."""
    scaled = weights_of({task: max(w, _LOWEST) for task, w in values(learned).items()})
    return {task: one | {"value": scaled[task]} for task, one in learned.items()}
