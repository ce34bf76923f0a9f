"""Binary cross-entropy: one logit, for two classes or a regression with a bounded range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.base import Prediction, most_probable_class
from mtbert.objectives.means import mean_of_sigmoid
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["average", "cosine_start", "decode", "losses", "outputs"]


def outputs(task: TaskSettings) -> int:
    """One logit: of class 1, or of the place in the range."""
    return 1


def losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of sigmoid and label, a regression's scaled to 0 to 1, `[examples]`."""
    low, high = task.range or (0.0, 1.0)
    target = (labels - low) / (high - low)
    return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), target, reduction="none")


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """The more probable class, or the value within the range."""
    probabilities = np.exp(-np.logaddexp(0, -outputs[:, 0]))
    if task.kind.is_classification:
        return [most_probable_class(task, np.array([1 - p, p])) for p in probabilities]
    low, high = task.range or (0.0, 1.0)
    values = low + (high - low) * probabilities
    return [Prediction(float(v), None, float(v), None) for v in values]


def average(task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logit of the mean probability, and so of the mean value."""
    return mean_of_sigmoid(outputs)


def cosine_start(task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
    """Logits from -5 to 5: probabilities from nearly 0 to nearly 1."""
    return 10.0, -5.0
