"""Class weights in the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from mtbert.config.tasks import TaskSettings

__all__ = ["class_weights", "example_weights"]


def class_weights(task: TaskSettings, labels: Tensor) -> Tensor | None:
    """Weights of the classes, `[classes]`, or None.

    `balanced` gives class c the weight n / (classes * n_c), so that each class counts the same
    and the mean weight over the training labels is 1; a class without examples has weight 0.

    Args:
        task: what the user asked for.
        labels: `[n]`, class numbers of the training examples.
    """
    if task.class_weights is None:
        return None
    if task.class_weights == "balanced":
        classes = len(task.class_names)
        counts = torch.bincount(labels.long(), minlength=classes).float()
        present = counts > 0
        return torch.where(present, len(labels) / (classes * counts.clamp(min=1)), 0.0)
    return torch.tensor(task.class_weights)


def example_weights(labels: Tensor, weights: Tensor | None) -> Tensor:
    """Weight of each example in its batch's mean, `[examples]`: its class's, or 1."""
    if weights is None:
        return torch.ones_like(labels)
    return weights.to(labels.device)[labels.long()]
