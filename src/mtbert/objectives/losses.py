"""Losses: outputs and labels → one loss an example. Pure."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings

__all__ = ["class_weights", "example_losses", "example_weights"]


def example_losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """The task's loss of each example, `[examples]`.

    Args:
        task: names the loss; with `binary_cross_entropy` on a regression its range bounds it.
        outputs: `[examples, outputs]`.
        labels: `[examples]`, class numbers or regression values.
    """
    return _LOSSES[task.loss_name](task, outputs, labels)


def example_weights(labels: Tensor, weights: Tensor | None) -> Tensor:
    """Weight of each example in its batch's mean, `[examples]`: its class's, or 1."""
    if weights is None:
        return torch.ones_like(labels)
    return weights.to(labels.device)[labels.long()]


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


def _cross_entropy(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, labels.long(), reduction="none")


def _binary_cross_entropy(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    low, high = task.range or (0.0, 1.0)
    target = (labels - low) / (high - low)
    return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), target, reduction="none")


def _mse(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(outputs.squeeze(1), labels, reduction="none")


_LOSSES: dict[str, Callable[[TaskSettings, Tensor, Tensor], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
}
