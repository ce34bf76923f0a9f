"""Intervals of metrics by the bootstrap over rows.

The rows of a data set are drawn from it with replacement, as many as there are, a thousand times;
the interval reaches from the 2.5th to the 97.5th percentile of the metric on these samples (the
percentile interval: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3).
It says how much the score depends on which rows happen to be in the file. It knows nothing of other
seeds, nor that the best epoch was chosen on the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "concatenated", "interval", "resampled_cells", "resampled_rows"]

Array = NDArray[np.float64]

DRAWS = 1000
"""Samples."""

_SEED = 2024
_CELLS = 1 << 21
"""Numbers of a chunk of samples, at most: what bounds the memory."""


def resampled_cells(cells: Array) -> Array:
    """How many rows fall into each cell of a table in each sample, `[DRAWS, cells]`.

    Drawing rows with replacement and counting them is one draw from a multinomial distribution,
    whatever the number of rows.

    Args:
        cells: `[cells]`, the rows in each.
    """
    total = int(cells.sum())
    generator = np.random.default_rng([_SEED, total])
    return generator.multinomial(total, cells / total, size=DRAWS).astype(np.float64)


def resampled_rows(rows: int) -> Iterator[Array]:
    """How often each row occurs in each sample, in chunks `[some samples, rows]`."""
    generator = np.random.default_rng([_SEED, rows])
    done, step = 0, max(1, _CELLS // max(1, rows))
    while done < DRAWS:
        counts = np.empty((min(step, DRAWS - done), rows))
        for sample in counts:
            sample[:] = np.bincount(generator.integers(rows, size=rows), minlength=rows)
        done += len(counts)
        yield counts


def concatenated(rows: int, of: Callable[[Array], Mapping[str, Array]]) -> dict[str, Array]:
    """Metrics on all samples of the rows, `[DRAWS, …]` each.

    Args:
        rows: their number.
        of: metrics `[samples, …]` by name, of the counts `[samples, rows]` of some samples.
    """
    parts = [of(counts) for counts in resampled_rows(rows)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(draws: Array) -> tuple[float, float] | None:
    """The 95 % interval of a metric from its values on the samples; None if all are undefined.

    Args:
        draws: `[DRAWS]`; NaN where a sample leaves the metric undefined.
    """
    known = draws[np.isfinite(draws)]
    if not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
