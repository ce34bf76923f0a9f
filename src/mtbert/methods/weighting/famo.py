"""FAMO: log losses that fall at the same rate, without any gradient's norm (Liu et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtbert.methods.base import MethodState, Progress
from mtbert.methods.weighting.adam import begin, descend, values
from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.softmax import softmax, weights_of

__all__ = ["FAMO", "slopes"]

_SMALLEST = 1e-8
"""Of a loss, before its logarithm is taken."""


class FAMO(LossWeighting):
    """Lets the logarithms of all losses fall at the same rate, by logits that are learned.

    With z = softmax(xi) of the logits xi, the weights are those of the gradient of
    sum_i z_i log L_i, scaled to sum to the number of tasks, and xi descends by Adam with decay:

        w_i ~ z_i / L_i        d xi = J(z)^T (log L before - log L after) + decay xi

    so a task whose loss fell more than the others' counts less. The smallest loss that a task can
    reach counts as 0.

    One thing differs from the source: there the same batch is passed forward once more after the
    step to see its new loss. Here the losses of a task's next batch stand for it, and those of the
    step before for the L_i of the weights. So nothing is computed twice, and the logits follow the
    noise between batches too: their mean over many steps counts. It costs nothing but that a step
    waits for the losses of the one before. Until every task has been seen, the weights are 1.
    Leave it where batches are small and their losses differ much for that reason alone.
    Source: Liu, Feng, Stone and Liu 2023, and the authors' code.
    """

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = False

    name: Literal["famo"] = "famo"
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.025, description="Of the logits.")
    decay: Annotated[float, Field(ge=0)] = Field(
        0.01, description="Draws the logits back to 0, equal shares."
    )

    def start(self, tasks: Sequence[str]) -> MethodState:
        return {"logits": begin(tasks, 0.0), "losses": {}}

    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        logits, losses = values(state["logits"]), state["losses"]
        if losses.keys() != logits.keys():
            return dict.fromkeys(logits, 1.0)
        shares = softmax(logits)
        return weights_of({task: share / losses[task] for task, share in shares.items()})

    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        before, logits = state["losses"], state["logits"]
        now = {task: max(loss, _SMALLEST) for task, loss in losses.items()}
        fallen = {t: math.log(before[t] / loss) for t, loss in now.items() if t in before}
        if fallen:
            found = slopes(values(logits), fallen, self.decay)
            logits = descend(logits, found, self.learning_rate)
        return {"logits": logits, "losses": {**before, **now}}

    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        return state


def slopes(
    logits: Mapping[str, float], fallen: Mapping[str, float], decay: float
) -> dict[str, float]:
    """By what the logits descend, by task.

    Args:
        logits: of all tasks.
        fallen: by how much the logarithm of a loss fell; a task left out stayed where it was.
        decay: of the logits.
    """
    shares = softmax(logits)
    mean = sum(shares[task] * change for task, change in fallen.items())
    return {
        task: share * (fallen.get(task, 0.0) - mean) + decay * logits[task]
        for task, share in shares.items()
    }
