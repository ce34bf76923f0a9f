"""The weighting and the aggregator of a phase, and the state they keep from step to step.

Their states are part of `State`, and so of the checkpoint: a resumed run continues exactly. `State`
holds what they know after the last step whose results have been read. An aggregator also decides
steps that are launched before that; the state it then returns is committed to `State` only once
the step has turned out to be finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtbert.config.training import TrainingSettings
from mtbert.methods.aggregation.base import Aggregator
from mtbert.methods.aggregation.table import DEFAULT_AGGREGATOR
from mtbert.methods.base import MethodState, Progress
from mtbert.methods.sampling.base import SuperBatch, followed
from mtbert.runs.state import State
from mtbert.training.nonfinite import StepResult

__all__ = ["PhaseMethods"]

_EARLY = 64
_WEIGHTING, _AGGREGATION = "weighting", "aggregation"


class PhaseMethods:
    """The methods that a phase is trained with, but for the sampler.

    Attributes:
        weighting: decides the factors of the losses.
    """

    def __init__(self, settings: TrainingSettings, tasks: Sequence[str], state: State) -> None:
        """Begin a phase, or go on with it.

        Args:
            settings: the training section.
            tasks: that the phase trains.
            state: of the run; `methods` and `epoch_losses` change in it.
        """
        self.weighting, self._aggregator = settings.weighting, settings.surgery
        self._settings, self._state = settings, state
        if state.phase_step == 0:
            state.methods, state.epoch_losses = {}, {}
            self._remember(_WEIGHTING, self.weighting.start(tasks))
            self._remember(_AGGREGATION, self._aggregator.start(tasks))
        self._launched = self._known(_AGGREGATION)

    def measures(self, step: int) -> bool:
        """Whether a step, counted from 1, sets gradients aside to measure them for the log."""
        return step == 1 or step % self._settings.gradients_every == 0

    def watches(self, step: int, at: Progress) -> bool:
        """Whether a step looks at how long each task's gradient is, to tell an imbalance.

        A short run has few steps that measure; so besides these the first, second, fourth, eighth …
        of a phase.
        """
        number = at.step + 1
        return self.measures(step) or (number & (number - 1) == 0 and number < _EARLY)

    def loss_weights(self, at: Progress) -> dict[str, float]:
        """The factors of a step's losses, by task; a task left out has 1."""
        return self.weighting.weights(self._known(_WEIGHTING), at)

    def aggregator(self, at: Progress) -> Aggregator:
        """What makes one direction of the tasks' shared gradients in a step."""
        return (
            self._aggregator if at.step % self._settings.surgery_every == 0 else DEFAULT_AGGREGATOR
        )

    def used(self, step: SuperBatch, at: Progress) -> SuperBatch:
        """The batches of a step that are of use: constraints only to an aggregator that takes them.

        Args:
            step: as it is planned.
            at: where it stands.
        """
        return step if self.aggregator(at).takes_references else followed(step)

    @property
    def aggregator_state(self) -> MethodState:
        """What the aggregator remembers of the steps before the one that is to be computed."""
        return self._launched

    def launched(self, state: MethodState) -> None:
        """A step has been launched, after which the aggregator remembers this."""
        self._launched = state

    def forget_launched(self) -> None:
        """The steps that have been launched and not read are to be computed again."""
        self._launched = self._known(_AGGREGATION)

    def settle(self, result: StepResult, at: Progress) -> None:
        """Take in a step that has been read.

        Args:
            result: of the tasks that were finite, maybe none.
            at: where the step stood.
        """
        if not result.losses:
            return
        self._remember(_AGGREGATION, result.gradients.aggregator_state)
        if not self.weighting.observes:
            return
        norms = None
        if self.weighting.needs_norms and result.gradients.gram is not None:
            lengths = np.sqrt(result.gradients.gram.diagonal().clamp(min=0).numpy())
            norms = dict(zip(result.losses, lengths.tolist(), strict=True))
        state = self._known(_WEIGHTING)
        self._remember(_WEIGHTING, self.weighting.observe(state, result.losses, norms, at))
        for task, loss in result.losses.items():
            total, count = self._state.epoch_losses.get(task, (0.0, 0))
            self._state.epoch_losses[task] = (total + loss, count + 1)

    def end_epoch(self) -> None:
        """An epoch has ended, all its steps have been read."""
        if not self.weighting.observes:
            return
        means = {task: total / count for task, (total, count) in self._state.epoch_losses.items()}
        self._state.epoch_losses = {}
        self._remember(_WEIGHTING, self.weighting.end_epoch(self._known(_WEIGHTING), means))

    def _known(self, family: str) -> MethodState:
        return self._state.methods.get(family, {})

    def _remember(self, family: str, state: MethodState) -> None:
        if state:
            self._state.methods[family] = state
        else:
            self._state.methods.pop(family, None)
