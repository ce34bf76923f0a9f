"""Weights of classes and labels in the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from mtbert.config.tasks import TaskSettings

__all__ = ["class_weights", "example_weights"]


def class_weights(task: TaskSettings, labels: Tensor) -> Tensor | None:
    """Weights of the classes, `[classes]`, of several labels `[labels, 2]`, or None.

    `balanced` gives class c the weight n / (classes * n_c), so that each class counts the same
    and the mean weight over the training labels is 1; a class without examples has weight 0. Each
    of several labels is two such classes: the examples without it, and those with it.

    Args:
        task: what the user asked for.
        labels: `[n]`, class numbers of the training examples; of several labels `[n, labels]`.
    """
    if task.class_weights is None:
        return None
    if task.class_weights != "balanced":
        listed = torch.tensor(task.class_weights)
        return torch.stack((torch.ones_like(listed), listed), 1) if labels.ndim == 2 else listed
    if labels.ndim == 2:
        having = labels.float().sum(dim=0)
        counts = torch.stack((len(labels) - having, having), dim=1)
    else:
        counts = torch.bincount(labels.long(), minlength=len(task.class_names)).float()
    present = counts > 0
    return torch.where(present, len(labels) / (counts.shape[-1] * counts.clamp(min=1)), 0.0)


def example_weights(labels: Tensor, weights: Tensor | None) -> Tensor:
    """Weight of each loss in its batch's mean, in the shape of the labels: its class's, or 1."""
    if weights is None:
        return torch.ones_like(labels)
    weights = weights.to(labels.device)
    if labels.ndim == 2:
        return torch.where(labels > 0, weights[:, 1], weights[:, 0])
    return weights[labels.long()]
