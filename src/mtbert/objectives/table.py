"""The objectives by name, and the one of a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtbert.config.tasks import TaskSettings
from mtbert.objectives import binary_cross_entropy, cross_entropy, mse, multilabel, ordinal
from mtbert.objectives.base import Objective, Prediction

__all__ = ["OBJECTIVES", "combine", "decode", "example_losses", "objective_of"]

OBJECTIVES: dict[str, Objective] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "ordinal": ordinal,
    "multilabel": multilabel,
}


def objective_of(task: TaskSettings) -> Objective:
    """What the task's head is trained for."""
    return OBJECTIVES[task.loss_name]


def example_losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """The loss of each example by the task's objective, in the labels' shape; see `Objective`."""
    return objective_of(task).losses(task, outputs, labels)


def combine(task: TaskSettings, outputs: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Outputs `[examples, outputs]` of one model as they are, of several their average."""
    if len(outputs) == 1:
        return outputs[0]
    with np.errstate(invalid="ignore"):  # what is no number stays so, and is refused
        return objective_of(task).average(task, np.stack(outputs))


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """Outputs `[examples, outputs]` → predictions by the task's objective."""
    return objective_of(task).decode(task, outputs)
