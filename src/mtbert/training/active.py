"""The phase that is being trained, and a step of it that has been launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtbert.config.settings import TrainingSettings
from mtbert.console.progress import Progress
from mtbert.methods.sampling.schedules import Step
from mtbert.runs.state import State
from mtbert.training.learner import Learner
from mtbert.training.nonfinite import StepResult
from mtbert.training.phases.base import Phase, PhaseData
from mtbert.training.schedules import rate_factor
from mtbert.training.step import GradientStep, PendingResult

__all__ = ["ActivePhase", "LaunchedStep"]


@dataclass(frozen=True, slots=True)
class LaunchedStep:
    """A step whose losses and norm have not been read yet.

    Attributes:
        step: the tasks' batches.
        epoch: its number in the log.
        factor: of the learning rates.
        counts: updates of each parameter before it.
        result: what it computed.
    """

    step: Step
    epoch: int
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
        gradients: computes its steps.
        progress: shows them.
        epoch_steps: steps of each epoch.
        epochs_before: epochs of the phases before it.
    """

    phase: Phase
    data: PhaseData
    learner: Learner
    gradients: GradientStep
    progress: Progress
    epoch_steps: int
    epochs_before: int

    def set_rates(self, settings: TrainingSettings, state: State) -> float:
        """Set the learning rates of the next update; returns their factor."""
        total = self.epoch_steps * self.phase.epochs
        factor = rate_factor(settings.schedule, settings.warmup, state.phase_step, total)
        factor *= state.rate_factor
        for group in self.learner.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return factor

    def record(
        self, launched: LaunchedStep, result: StepResult, factor: float, state: State
    ) -> dict[str, Any]:
        """A step as it is logged."""
        phase = self.phase
        record: dict[str, Any] = {
            "kind": "train",
            "phase": phase.name,
            "epoch": launched.epoch,
            "step": state.step,
            "loss": {task: result.losses.get(task) for task in launched.step},
            "learning_rate": phase.learning_rate * factor if phase.trains_encoder else 0.0,
            "head_learning_rate": phase.head_learning_rate * factor,
            "gradient_norm": result.norm,
            "tokens": state.tokens,
        }
        return record | result.gradients.statistics()
