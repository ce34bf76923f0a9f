"""Binary cross-entropy of each label: one logit a label, for examples with any number of labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.base import Prediction
from mtbert.objectives.means import mean_of_sigmoid
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["average", "cosine_start", "decode", "losses", "outputs"]


def outputs(task: TaskSettings) -> int:
    """A logit for each label."""
    return len(task.class_names)


def losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of sigmoid and label, `[examples, labels]`; the task's loss is their mean."""
    return functional.binary_cross_entropy_with_logits(outputs, labels, reduction="none")


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """The labels whose probability is above the task's threshold.

    The score is the probability of just these labels, as if labels were independent given the text.
    """
    names, threshold = task.class_names, task.label_threshold
    probabilities = np.exp(-np.logaddexp(0, -outputs))
    chosen = probabilities > threshold
    scores = np.where(chosen, probabilities, 1 - probabilities).prod(axis=1)
    return [
        Prediction(
            value=tuple(np.flatnonzero(given).tolist()),
            label=None,
            score=float(score),
            probabilities=dict(zip(names, row.tolist(), strict=True)),
            labels=tuple(name for name, is_given in zip(names, given, strict=True) if is_given),
        )
        for given, score, row in zip(chosen, scores, probabilities, strict=True)
    ]


def average(task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of each label's mean probability."""
    return mean_of_sigmoid(outputs)


def cosine_start(task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
    """Refused: one cosine cannot be the logits of several labels.

    Raises:
        ValueError: always; settings do not allow it.
    """
    raise ValueError("several labels have one output each, and a cosine is one number")
