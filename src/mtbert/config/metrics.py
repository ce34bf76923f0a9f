"""The metrics of each kind of task: their names, which is the main one, and which way is better."""

from __future__ import annotations

__all__ = ["CLASS_METRICS", "LOWER_IS_BETTER", "class_metrics", "label_metrics", "number_metrics"]

LOWER_IS_BETTER = frozenset({"mae", "rmse", "loss"})
"""Errors; of all other metrics more is better."""

CLASS_METRICS = ("f1", "precision", "recall")
"""Metrics that a single class has too."""


def class_metrics(classes: int | None = None, *, in_order: bool = False) -> tuple[str, ...]:
    """Metrics of a task of exclusive classes, the main one first.

    Args:
        classes: their number, if it is known; of two the second is the positive one.
        in_order: whether they stand in an order, so that some mistakes are greater than others.
    """
    names: tuple[str, ...] = ("accuracy", "f1", "balanced_accuracy", "mcc")
    if in_order:
        names += ("mae", "qwk")
    if classes == 2:
        names += ("f1_positive", "precision_positive", "recall_positive")
        names += ("auc", "average_precision")
    return names


def label_metrics() -> tuple[str, ...]:
    """Metrics of a task in which any number of labels holds, the main one first."""
    return ("micro_f1", "macro_f1", "subset_accuracy")


def number_metrics() -> tuple[str, ...]:
    """Metrics of a regression, the main one first."""
    return ("pearson", "spearman", "mae", "rmse", "r2")
