"""Softmax cross-entropy: one logit per class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.base import Prediction, most_probable_class
from mtbert.objectives.means import mean_of_softmax
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["average", "cosine_start", "decode", "losses", "outputs"]


def outputs(task: TaskSettings) -> int:
    """A logit for each class."""
    return len(task.class_names)


def losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of the label, `[examples]`."""
    return functional.cross_entropy(outputs, labels.long(), reduction="none")


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """The most probable class."""
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return [most_probable_class(task, p) for p in shifted / shifted.sum(axis=1, keepdims=True)]


def average(task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of the mean probabilities of the classes."""
    return mean_of_softmax(outputs)


def cosine_start(task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
    """Refused: one cosine cannot be the logits of several classes.

    Raises:
        ValueError: always; settings do not allow it.
    """
    raise ValueError("cross-entropy has one output a class, and a cosine is one number")
