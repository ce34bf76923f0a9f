"""The interface of the objectives: outputs of a head → losses, and → predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["Objective", "Prediction", "most_probable_class"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one example.

    Attributes:
        value: class number, or the value of a regression.
        label: name of the class; None for a regression.
        score: probability of that class (for `mse` on two classes the raw output), or the value.
        probabilities: by class name; None for a regression or `mse`.
    """

    value: float
    label: str | None
    score: float
    probabilities: dict[str, float] | None

    def as_json(self) -> dict[str, Any]:
        """Fields as they stand in prediction files."""
        fields: dict[str, Any] = {"prediction": self.value}
        if self.label is not None:
            fields["label"] = self.label
        fields["score"] = self.score
        if self.probabilities is not None:
            fields["probabilities"] = self.probabilities
        return fields


class Objective(Protocol):
    """What a head is trained for, and what its outputs mean. Pure."""

    def outputs(self, task: TaskSettings) -> int:
        """Outputs of the task's head for one example."""

    def losses(self, task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each example, `[examples]`.

        Args:
            task: gives classes or range.
            outputs: `[examples, outputs]`.
            labels: `[examples]`, class numbers or regression values, on the scale of the outputs.
        """

    def decode(self, task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
        """Outputs `[examples, outputs]`, in the labels' unit → one prediction each."""

    def cosine_start(self, task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
        """Factor and offset that take a cosine from 0 to 1 across the task's one output.

        Args:
            task: gives the range.
            scale: of the target; the output is on it.
        """


def most_probable_class(task: TaskSettings, probabilities: NDArray[np.float64]) -> Prediction:
    """The prediction that the probabilities `[classes]` of one example make."""
    names = task.class_names
    best = int(np.argmax(probabilities))
    by_name = {n: float(p) for n, p in zip(names, probabilities, strict=True)}
    return Prediction(best, names[best], float(probabilities[best]), by_name)
