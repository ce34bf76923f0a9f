"""Means of several models' probabilities, from logits to logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_of_sigmoid", "mean_of_softmax"]

Array = NDArray[np.float64]


def mean_of_softmax(logits: Array) -> Array:
    """Logits whose softmax is the mean of the models': the logarithms of the mean probabilities.

    Args:
        logits: `[models, examples, classes]`.

    Returns:
        `[examples, classes]`.
    """
    return _log_mean(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True))


def mean_of_sigmoid(logits: Array) -> Array:
    """Logits whose sigmoid is the mean of the models'.

    Args:
        logits: `[models, …]`.

    Returns:
        `[…]`.
    """
    return _log_mean(-np.logaddexp(0, -logits)) - _log_mean(-np.logaddexp(0, logits))


def _log_mean(logarithms: Array) -> Array:
    """The logarithm of the mean over the first axis, of numbers given by theirs."""
    mean: Array = np.logaddexp.reduce(logarithms, axis=0) - np.log(len(logarithms))
    return mean
