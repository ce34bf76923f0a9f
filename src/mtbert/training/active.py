"""The phase in progress, and a step of it whose results have not been read yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtbert.config.training import TrainingSettings
from mtbert.console.progress import ProgressBar
from mtbert.methods.base import Progress
from mtbert.methods.sampling.base import SuperBatch, followed
from mtbert.methods.seeding import seed_from
from mtbert.runs.state import State
from mtbert.training.learner import Learner
from mtbert.training.nonfinite import StepResult
from mtbert.training.phase_methods import PhaseMethods
from mtbert.training.phases.base import Phase, PhaseData
from mtbert.training.running_targets import RunningTargets
from mtbert.training.schedules import rate_factor
from mtbert.training.step import GradientStep, PendingResult

__all__ = ["ActivePhase", "LaunchedStep"]


@dataclass(frozen=True, slots=True)
class LaunchedStep:
    """A step whose losses and norm have not been read yet.

    Attributes:
        step: the tasks' batches.
        at: where it stands in its phase.
        factor: of the learning rates.
        counts: updates of each parameter before it.
        result: what it computed.
    """

    step: SuperBatch
    at: Progress
    factor: float
    counts: Mapping[Tensor, int]
    result: PendingResult


@dataclass(frozen=True, slots=True)
class ActivePhase:
    """The phase that is being trained.

    Attributes:
        phase: as planned.
        data: prepared for it.
        learner: what learns.
        methods: weighting and aggregator.
        gradients: computes its steps.
        targets: whose scale follows the labels.
        bar: shows them.
        epoch_steps: steps of each epoch.
        epochs_before: epochs of the phases before it.
    """

    phase: Phase
    data: PhaseData
    learner: Learner
    methods: PhaseMethods
    gradients: GradientStep
    targets: RunningTargets
    bar: ProgressBar
    epoch_steps: int
    epochs_before: int

    def at(self, state: State) -> Progress:
        """Where the step that comes next stands."""
        epochs = self.phase.epochs
        seed = seed_from("weighting", self.gradients.runtime.seed, state.step)
        return Progress(state.phase_step, self.epoch_steps * epochs, state.epoch, epochs, seed)

    def epoch_number(self, at: Progress) -> int:
        """The number of a step's epoch in the log, counted from 1 over all phases."""
        return self.epochs_before + at.epoch + 1

    def set_rates(self, settings: TrainingSettings, state: State) -> float:
        """Set the learning rates of the next update; returns their factor."""
        at = self.at(state)
        factor = rate_factor(settings.schedule, settings.warmup, at.step, at.steps)
        factor *= state.rate_factor
        for group in self.learner.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return factor

    def in_label_units(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Losses of training, by task, as people know them: of the labels as they stand."""
        network = self.gradients.network
        return {t: loss * network.head(t).scale.squared_unit for t, loss in losses.items()}

    def record(
        self, launched: LaunchedStep, result: StepResult, factor: float, state: State
    ) -> dict[str, Any]:
        """A step as it is logged."""
        phase = self.phase
        weights = self.methods.loss_weights(launched.at)
        losses = self.in_label_units(result.losses)
        record: dict[str, Any] = {
            "kind": "train",
            "phase": phase.name,
            "epoch": self.epoch_number(launched.at),
            "step": state.step,
            "loss": {task: losses.get(task) for task in followed(launched.step)},
            "learning_rate": phase.learning_rate * factor if phase.trains_trunk else 0.0,
            "head_learning_rate": phase.head_learning_rate * factor,
            "gradient_norm": result.norm,
            "tokens": state.tokens,
            **({"loss_weights": weights} if weights else {}),
        }
        return record | result.gradients.statistics()
