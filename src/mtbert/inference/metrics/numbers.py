"""Metrics of regressions: of the rows as they are, and of rows counted several times."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["number_scores", "weighted_number_scores"]

Array = NDArray[np.float64]


def number_scores(gold: Array, predicted: Array) -> dict[str, float]:
    """Every metric of a regression.

    `mae` and `rmse` are in the units of the label; `r2` is 1 less the squared error as a share of
    that of the labels' own mean, so it is negative where predictions are worse than the mean.
    Correlations are NaN for fewer than two rows and for constant labels or predictions, `r2` for
    fewer than two rows and for constant labels.

    Args:
        gold: `[rows]`.
        predicted: `[rows]`.
    """
    error = predicted - gold
    correlated = len(gold) > 1 and np.ptp(gold) > 0 and np.ptp(predicted) > 0
    varies = len(gold) > 1 and np.ptp(gold) > 0
    return {
        "pearson": float(stats.pearsonr(gold, predicted)[0]) if correlated else math.nan,
        "spearman": float(stats.spearmanr(gold, predicted)[0]) if correlated else math.nan,
        "mae": float(np.mean(np.abs(error))) if len(gold) else math.nan,
        "rmse": float(np.sqrt(np.mean(error**2))) if len(gold) else math.nan,
        "r2": float(1 - np.mean(error**2) / np.var(gold)) if varies else math.nan,
    }


def weighted_number_scores(counts: Array, gold: Array, predicted: Array) -> dict[str, Array]:
    """The same of samples in which row i occurs `counts[:, i]` times, `[samples]` each.

    Args:
        counts: `[samples, rows]`; each sample has as many rows as there are.
        gold: `[rows]`.
        predicted: `[rows]`.
    """
    # Centred on the whole set first, so that the moments lose no digits.
    x, y, error = gold - gold.mean(), predicted - predicted.mean(), predicted - gold
    columns = np.stack([x, y, x * x, y * y, x * y, np.abs(error), error**2], axis=1)
    mx, my, xx, yy, xy, absolute, squared = ((counts @ columns) / len(gold)).T
    variance = xx - mx * mx
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "pearson": _correlation(mx, my, xx, yy, xy),
            "spearman": _spearman(counts, gold, predicted),
            "mae": absolute,
            "rmse": np.sqrt(squared),
            "r2": np.where(variance > _TINY * xx, 1 - squared / variance, np.nan),
        }


_TINY = 1e-12
"""A variance below this share of the square is a sample of one value, but for rounding."""


def _correlation(mx: Array, my: Array, xx: Array, yy: Array, xy: Array) -> Array:
    """Pearson's from means of x, y and their products; NaN where one is constant."""
    vx, vy = xx - mx * mx, yy - my * my
    known = (vx > _TINY * xx) & (vy > _TINY * yy)
    return np.where(known, (xy - mx * my) / np.sqrt(vx * vy), np.nan)


def _spearman(counts: Array, gold: Array, predicted: Array) -> Array:
    """Pearson's correlation of the ranks that the rows have in each sample."""
    x, y = _ranks(counts, gold), _ranks(counts, predicted)
    middle = (len(gold) + 1) / 2  # the mean of all ranks, in every sample
    x, y = x - middle, y - middle
    weighted_x, weighted_y = counts * x, counts * y
    xx, xy = np.einsum("sr,sr->s", weighted_x, x), np.einsum("sr,sr->s", weighted_x, y)
    yy = np.einsum("sr,sr->s", weighted_y, y)
    return np.where((xx > 0) & (yy > 0), xy / np.sqrt(xx * yy), np.nan)


def _ranks(counts: Array, values: Array) -> Array:
    """Mean rank of each row's value in each sample, `[samples, rows]`."""
    distinct, place = np.unique(values, return_inverse=True)
    of_value = counts[:, np.argsort(place, kind="stable")]
    if len(distinct) < len(values):
        starts = np.searchsorted(np.sort(place), np.arange(len(distinct)))
        of_value = np.add.reduceat(of_value, starts, axis=1)
    ranks: Array = (np.cumsum(of_value, axis=1) - (of_value - 1) / 2)[:, place]
    return ranks
