"""The interface of the objectives: outputs of a head → losses, and → predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["Objective", "Prediction", "answer_values", "most_probable_class"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one example.

    Attributes:
        value: class number, the value of a regression, or the numbers of the labels given.
        label: name of the class; None for a regression and for several labels.
        score: probability of that class (for `mse` on two classes the raw output), or the value;
            of several labels the probability of just these.
        probabilities: by class name or label; None for a regression or `mse`.
        labels: names of the labels given, where there may be several; else None.
    """

    value: float | tuple[int, ...]
    label: str | None
    score: float
    probabilities: dict[str, float] | None
    labels: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Fields as they stand in prediction files."""
        value = self.value
        fields: dict[str, Any] = {"prediction": list(value) if isinstance(value, tuple) else value}
        if self.label is not None:
            fields["label"] = self.label
        if self.labels is not None:
            fields["labels"] = list(self.labels)
        fields["score"] = self.score
        if self.probabilities is not None:
            fields["probabilities"] = self.probabilities
        return fields


class Objective(Protocol):
    """What a head is trained for, and what its outputs mean. Pure."""

    def outputs(self, task: TaskSettings) -> int:
        """Outputs of the task's head for one example."""

    def losses(self, task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each example, or of each of its labels; in the shape of the labels.

        Args:
            task: gives classes or range.
            outputs: `[examples, outputs]`.
            labels: `[examples]`, class numbers or regression values, these on the scale of the
                outputs; `[examples, labels]`, 0 or 1 for each of several labels.
        """

    def decode(self, task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
        """Outputs `[examples, outputs]`, in the labels' unit → one prediction each."""

    def average(self, task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs by which `decode` gives the mean of several models' probabilities or values.

        Args:
            task: gives the range.
            outputs: `[models, examples, outputs]`, in the labels' unit.

        Returns:
            `[examples, outputs]`.
        """

    def cosine_start(self, task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
        """Factor and offset that take a cosine from 0 to 1 across the task's one output.

        Args:
            task: gives the range.
            scale: of the target; the output is on it.
        """


def answer_values(task: TaskSettings, answers: Sequence[Prediction]) -> NDArray[np.float64]:
    """Answers in the form of labels: `[examples]`, or of several labels `[examples, labels]`."""
    values = np.zeros((len(answers), *task.label_shape))
    for row, answer in enumerate(answers):
        if isinstance(answer.value, tuple):
            values[row, list(answer.value)] = 1
        else:
            values[row] = answer.value
    return values


def most_probable_class(task: TaskSettings, probabilities: NDArray[np.float64]) -> Prediction:
    """The prediction that the probabilities `[classes]` of one example make."""
    names = task.class_names
    best = int(np.argmax(probabilities))
    by_name = {n: float(p) for n, p in zip(names, probabilities, strict=True)}
    return Prediction(best, names[best], float(probabilities[best]), by_name)
