"""Aligned-MTL: gradients made orthogonal and equally long (Senushkin et al. 2023)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mtbert.methods.aggregation.base import StatelessAggregator
from mtbert.methods.aggregation.gram import Array, power_of_two

__all__ = ["AlignedMTL"]


class AlignedMTL(StatelessAggregator):
    """Replaces the gradients by the nearest ones that neither conflict nor dominate, and sums them.

    The gradients' principal components are kept and made equally long, as long as the shortest of
    them: the tasks then pull at right angles and equally hard. Every task gains, and equally much.
    Leave it where tasks are alike: gradients that are nearly the same have a very short component,
    and the step becomes as short.

    With the eigenvalues l and eigenvectors V of the Gram matrix, the factors are
    sqrt(min l) V diag(1 / sqrt(l)) V' 1; components of length zero are left out. Source: Senushkin
    et al. 2023, equation 5 and Algorithm 1, with the importance 1 for every task.
    """

    name: Literal["aligned_mtl"] = "aligned_mtl"

    def factors(self, gram: Array) -> Array:
        tasks = len(gram)
        values, vectors = np.linalg.eigh(gram / power_of_two(float(np.abs(gram).max(initial=0))))
        kept = values > values.max(initial=0) * tasks * np.finfo(np.float64).eps
        if not kept.any():
            return np.ones(tasks)
        values, vectors = values[kept], vectors[:, kept]
        balance: Array = (vectors * np.sqrt(values.min() / values)) @ vectors.T
        factors: Array = balance.sum(axis=1)
        return factors
