"""The loss-weighting interface: losses seen so far → factors of the tasks' losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from mtbert.methods.base import Method, MethodState, Progress

__all__ = ["LossWeighting"]


class LossWeighting(Method, ABC):
    """Decides by what each task's loss is multiplied, from plain numbers.

    Its factors come on top of the sampler's and of the task's own `loss_weight`, which are part
    of what is trained whatever the weighting. State is never changed in place: what is returned
    takes its place.

    Attributes:
        observes: whether its factors depend on losses that were seen; if not, `observe` and
            `end_epoch` are never called, and no step waits for the losses of the one before.
        needs_norms: whether it must see the norms of the tasks' shared gradients.
    """

    observes: ClassVar[bool]
    needs_norms: ClassVar[bool]

    @abstractmethod
    def start(self, tasks: Sequence[str]) -> MethodState:
        """The state before the first step of a phase that trains these tasks."""

    @abstractmethod
    def weights(self, state: MethodState, at: Progress) -> dict[str, float]:
        """The factors of a step, before its forward passes, by task; one left out is 1."""

    @abstractmethod
    def observe(
        self,
        state: MethodState,
        losses: Mapping[str, float],
        norms: Mapping[str, float] | None,
        at: Progress,
    ) -> MethodState:
        """The state after a step.

        Args:
            state: before it.
            losses: mean loss of each task's batch, before any factor; of tasks whose loss and
                gradient were finite.
            norms: of the same tasks' shared gradients, every factor included; None where
                `needs_norms` is not set, or no shared parameter learns.
            at: where the step stood.
        """

    @abstractmethod
    def end_epoch(self, state: MethodState, mean_losses: Mapping[str, float]) -> MethodState:
        """The state after an epoch, with each task's mean over the losses of its steps."""
