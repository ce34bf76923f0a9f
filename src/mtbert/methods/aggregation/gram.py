"""Gram matrices as small sets of vectors, and two convex problems that aggregators solve on them.

An inner product is all that an aggregator sees of two gradients. A Gram matrix of K gradients is
that of K vectors with K coordinates, however long the gradients are; on these the problems have the
size of the number of tasks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "cosine_matrix",
    "lengths_of",
    "minimum_norm_point",
    "nonnegative_least_squares",
    "power_of_two",
    "scaled_rows",
    "unit_rows",
]

Array = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)
_EPSILON = float(np.finfo(np.float64).eps)
_NEGLIGIBLE = 1e-100


def power_of_two(largest: float) -> float:
    """The power of 2 next to the largest value, so that squares neither over- nor underflow.

    Dividing by it changes no digit, and the weights do not depend on it.
    """
    return math.ldexp(1.0, min(max(math.frexp(largest)[1], -1021), 1023))


def lengths_of(gram: Array) -> Array:
    """Lengths of the gradients, `[tasks]`.

    Zero for one whose square is below the smallest number of full precision (shorter than 1e-154),
    and for one below 1e-100 of the longest, beside which it is nothing.
    """
    squares = gram.diagonal()
    lengths: Array = np.sqrt(np.where(squares < _TINY, 0.0, squares))
    return np.where(lengths < _NEGLIGIBLE * lengths.max(initial=0.0), 0.0, lengths)


def cosine_matrix(gram: Array) -> Array:
    """Cosines of the angles between the gradients, `[tasks, tasks]`; zero with one of length zero.

    They do not depend on the gradients' lengths, so nothing over- or underflows after them.
    """
    lengths = lengths_of(gram)
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    # One factor after the other: their product may be no number.
    cosines: Array = np.clip(gram * inverse[:, None] * inverse, -1.0, 1.0)
    np.fill_diagonal(cosines, lengths > 0)
    return cosines


def unit_rows(cosines: Array) -> Array:
    """Vectors with these inner products, `[tasks, tasks]`, one a row.

    What makes the matrix indefinite, the rounding of the inner products, is left out.
    """
    values, vectors = np.linalg.eigh(cosines)
    rows: Array = vectors * np.sqrt(values.clip(min=0.0))
    return rows


def scaled_rows(gram: Array) -> Array:
    """Vectors with the gradients' angles and lengths, `[tasks, tasks]`, the longest of length 1."""
    lengths = lengths_of(gram)
    longest = float(lengths.max(initial=0.0))
    if longest == 0:
        return np.zeros(gram.shape)
    rows: Array = unit_rows(cosine_matrix(gram)) * (lengths / longest)[:, None]
    return rows


def minimum_norm_point(rows: Array) -> Array:
    """Weights of the point of the rows' convex hull that is nearest to zero, `[tasks]`.

    They are not negative and add up to 1. For x >= 0, |R' x|^2 + (sum(x) - 1)^2 is least at a
    multiple of them, which makes it a problem of non-negative least squares; its unknowns are in
    units of each row's length, so the lengths may be of any size beside each other.

    Args:
        rows: `[tasks, coordinates]`.
    """
    lengths = np.linalg.norm(rows, axis=1)
    if not lengths.all():
        shares: Array = (lengths == 0) / np.count_nonzero(lengths == 0)
        return shares
    share = lengths.min() / lengths
    unknowns = nonnegative_least_squares(
        np.vstack([(rows / lengths[:, None]).T, share]), np.append(np.zeros(rows.shape[1]), 1.0)
    )
    weights: Array = unknowns * share
    weights /= weights.sum()
    return weights


def nonnegative_least_squares(matrix: Array, target: Array) -> Array:
    """The x >= 0 for which |matrix x - target| is least, `[columns]`.

    The active-set method of Lawson and Hanson (1974, Solving Least Squares Problems, chapter 23),
    which ends at the exact solution after finitely many steps. Columns that depend on each other,
    of which there are many solutions, give one of them.

    Args:
        matrix: `[rows, columns]`, columns of about length 1 or less.
        target: `[rows]`.
    """
    columns = matrix.shape[1]
    tolerance = 10 * columns * _EPSILON * float(np.linalg.norm(target))
    solution, passive = np.zeros(columns), np.zeros(columns, bool)
    for _ in range(3 * columns):
        descent = matrix.T @ (target - matrix @ solution)
        descent[passive] = 0.0
        entering = int(descent.argmax())
        if descent[entering] <= tolerance:
            break
        passive[entering] = True
        if not _solve_passive(matrix, target, solution, passive, entering):
            break
    return solution


def _solve_passive(
    matrix: Array, target: Array, solution: Array, passive: NDArray[np.bool_], entering: int
) -> bool:
    """Move the solution, in place, to where it is least on the passive columns without a sign lost.

    Returns:
        Whether the column that entered gained a part; if not, its descent was rounding.
    """
    while True:
        wanted = np.zeros_like(solution)
        wanted[passive] = np.linalg.lstsq(matrix[:, passive], target, rcond=None)[0]
        if wanted[entering] <= 0 and solution[entering] == 0:
            passive[entering] = False
            return False
        negative = passive & (wanted <= 0)
        if not negative.any():
            solution[:] = wanted
            return True
        leaving = np.flatnonzero(negative)
        ratios = solution[leaving] / (solution[leaving] - wanted[leaving])
        solution += ratios.min() * (wanted - solution)
        passive[leaving[ratios.argmin()]] = False
        solution[~passive] = 0.0
