"""Evaluation metrics of classes, sets of labels and numbers, with their intervals. No torch."""

from mtbert.inference.metrics.scores import (
    mean_score,
    overall_score,
    score,
    scores_by_class,
    undefined,
)

__all__ = ["mean_score", "overall_score", "score", "scores_by_class", "undefined"]
