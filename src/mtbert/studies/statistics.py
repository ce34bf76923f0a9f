"""Means, standard deviations and confidence intervals: arrays → numbers. Pure, no torch.

A score varies with the seed of the run and with the rows that happen to be in the dev set. An
interval accounts for both.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "Interval", "bootstrap", "interval", "mean_deviation", "shown_interval"]

Array = NDArray[np.float64]

DRAWS = 2000
"""Bootstrap samples of the dev rows."""

_SEED = 2024


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its interval.

    Attributes:
        mean: over seeds.
        low: lower end, and
        high: upper end; both equal the mean if nothing is known of its spread.
        seeds: number of seeds.
        by_seeds: half-width due to seeds alone; None for one seed.
        by_rows: half-width due to dev rows alone; None if no rows were given.
    """

    mean: float
    low: float
    high: float
    seeds: int
    by_seeds: float | None
    by_rows: float | None

    @property
    def is_known(self) -> bool:
        """Whether the spread is known."""
        return self.by_seeds is not None or self.by_rows is not None


def mean_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1); NaN for one value."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else math.nan


def bootstrap(metric: str, gold: Array, predicted: Array) -> Array:
    """The metric on bootstrap samples of the rows, `[DRAWS]`.

    The samples depend on the number of rows alone, so that differences of two results on the same
    rows are paired. NaN where the metric is undefined in a sample. Source: Efron, Tibshirani, An
    Introduction to the Bootstrap, 1993.

    Args:
        metric: `accuracy`, `pearson` or `micro_f1`.
        gold: `[rows]`; of several labels `[rows, labels]`, 0 or 1.
        predicted: likewise.
    """
    return _WEIGHTED[metric](_counts(len(gold)), np.asarray(gold), np.asarray(predicted))


def interval(values: Sequence[float], draws: Array | None = None, level: float = 0.95) -> Interval:
    """The mean of one value per seed, with its interval.

    Seeds: Student's t. Rows: percentiles of the bootstrap of the mean. The two are independent, so
    their half-widths are added in quadrature. With one seed the interval covers the rows alone.

    Args:
        values: `[seeds]`.
        draws: `[seeds, DRAWS]`, the bootstrap of each value, NaN where it is undefined; or None.
            Where all are, nothing is known of the rows.
        level: of confidence.
    """
    mean, deviation = mean_deviation(values)
    by_seeds = by_rows = None
    if len(values) > 1:
        from scipy import stats  # slow to import

        t = float(stats.t.ppf((1 + level) / 2, len(values) - 1))
        by_seeds = t * deviation / math.sqrt(len(values))
    below = above = 0.0
    means = np.empty(0) if draws is None else np.mean(draws, axis=0)
    if len(means := means[~np.isnan(means)]):
        ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        below, above = max(0.0, mean - float(ends[0])), max(0.0, float(ends[1]) - mean)
        by_rows = (below + above) / 2
    low, high = math.hypot(by_seeds or 0, below), math.hypot(by_seeds or 0, above)
    return Interval(mean, mean - low, mean + high, len(values), by_seeds, by_rows)


def shown_interval(found: Interval, digits: int = 3) -> str:
    """As `+0.012 [-0.004, +0.028]`; without the interval if it is not known."""
    if not found.is_known:
        return f"{found.mean:+.{digits}f}"
    return f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"


@functools.lru_cache(maxsize=8)
def _counts(rows: int) -> NDArray[np.float32]:
    """How often each row occurs in each sample, `[DRAWS, rows]`."""
    generator = np.random.default_rng([_SEED, rows])
    counts = np.empty((DRAWS, rows), np.float32)
    for sample in counts:
        sample[:] = np.bincount(generator.integers(rows, size=rows), minlength=rows)
    return counts


def _accuracy(counts: NDArray[np.float32], gold: Array, predicted: Array) -> Array:
    right = (gold == predicted).astype(np.float32)
    accuracy: Array = (counts @ right).astype(np.float64) / len(gold)
    return accuracy


def _pearson(counts: NDArray[np.float32], gold: Array, predicted: Array) -> Array:
    # Centred on the whole set first, so that the moments lose no digits.
    x, y = gold - gold.mean(), predicted - predicted.mean()
    columns = np.stack([x, y, x * x, y * y, x * y], axis=1).astype(np.float64)
    moments = (counts.astype(np.float64) @ columns) / len(gold)
    mx, my, xx, yy, xy = moments.T
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Array = (xy - mx * my) / np.sqrt((xx - mx * mx) * (yy - my * my))
    return r


def _micro_f1(counts: NDArray[np.float32], gold: Array, predicted: Array) -> Array:
    right, given = (gold * predicted).sum(axis=1), (gold + predicted).sum(axis=1)
    sums = counts.astype(np.float64) @ np.stack([right, given], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1: Array = 2 * sums[:, 0] / sums[:, 1]
    return f1


_WEIGHTED: dict[str, Callable[[NDArray[np.float32], Array, Array], Array]] = {
    "accuracy": _accuracy,
    "pearson": _pearson,
    "micro_f1": _micro_f1,
}
