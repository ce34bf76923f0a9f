"""Evaluation metrics, on scikit-learn and SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from mtbert.config.tasks import TaskSettings

__all__ = ["METRICS", "mean_score", "overall_score", "score", "undefined"]

Array = NDArray[np.float64]


def undefined(task: TaskSettings, gold: Array, outputs: Array) -> str | None:
    """Why the metrics of a task are undefined, or None.

    Args:
        task: gives the kind.
        gold: `[examples]`, class numbers or values.
        outputs: `[examples, outputs]`, of the head.
    """
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        return f"{broken} of {len(outputs)} predictions are not finite"
    if not task.kind.is_regression:
        return None
    if len(gold) < 2:
        return "fewer than two examples"
    for name, values in (("labels", gold), ("predictions", outputs)):
        if np.ptp(values) == 0:
            return f"all {name} are {values.flat[0]:g}"
    return None


def score(task: TaskSettings, gold: Array, predicted: Array) -> dict[str, float]:
    """Every metric of the task's kind.

    A correlation is NaN where it is undefined: fewer than two examples, or constant labels or
    predictions.

    Args:
        task: gives the kind.
        gold: `[examples]`, class numbers or values; `[examples, labels]`, 0 or 1, for several
            labels.
        predicted: the same of the answers.
    """
    return {name: METRICS[name](gold, predicted) for name in task.metrics}


def overall_score(scores: Mapping[str, float]) -> float:
    """The course's overall score of 2024 on when exactly sst, para and sts ran, else the mean.

    (SST accuracy + paraphrase accuracy + (STS Pearson + 1) / 2) / 3.

    Args:
        scores: main metric by task.
    """
    if set(scores) == {"sst", "para", "sts"}:
        return (scores["sst"] + scores["para"] + (scores["sts"] + 1) / 2) / 3
    return mean_score(scores)


def mean_score(scores: Mapping[str, float]) -> float:
    """Plain mean of the tasks' main metrics."""
    return sum(scores.values()) / len(scores)


def _accuracy(gold: Array, predicted: Array) -> float:
    return float(accuracy_score(gold, predicted))


def _macro_f1(gold: Array, predicted: Array) -> float:
    return float(f1_score(gold, predicted, average="macro", zero_division=0.0))


def _f1(average: str) -> Callable[[Array, Array], float]:
    """F1 of label sets: of all decisions together, or the mean over all labels."""

    def metric(gold: Array, predicted: Array) -> float:
        return float(f1_score(gold, predicted, average=average, zero_division=0.0))

    return metric


def _mean_absolute_error(gold: Array, predicted: Array) -> float:
    return float(np.abs(gold - predicted).mean())


def _quadratic_kappa(gold: Array, predicted: Array) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968); NaN where both have one class alone."""
    if np.ptp(gold) == 0 and np.ptp(predicted) == 0:
        return math.nan
    ranks = np.arange(1 + max(gold.max(), predicted.max()))  # also those that do not occur
    return float(cohen_kappa_score(gold, predicted, labels=ranks, weights="quadratic"))


def _correlation(
    correlate: Callable[[Array, Array], tuple[float, float]],
) -> Callable[[Array, Array], float]:
    def metric(gold: Array, predicted: Array) -> float:
        if len(gold) < 2 or np.ptp(gold) == 0 or np.ptp(predicted) == 0:
            return math.nan
        return float(correlate(gold, predicted)[0])

    return metric


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": _accuracy,
    "f1": _macro_f1,
    "micro_f1": _f1("micro"),
    "macro_f1": _f1("macro"),
    "subset_accuracy": _accuracy,
    "mae": _mean_absolute_error,
    "qwk": _quadratic_kappa,
    "pearson": _correlation(stats.pearsonr),
    "spearman": _correlation(stats.spearmanr),
}
