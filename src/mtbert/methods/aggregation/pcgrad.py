"""PCGrad: projecting conflicting gradients (Yu et al. 2020, Algorithm 1; the paper, equation 1).

g_i is projected to the normal plane of g_j when the two conflict. Each projected gradient stays
in the span of the originals, g_i' = sum_j C_ij g_j, so the algorithm runs on the coefficients C
and the Gram matrix alone:

    g_i' . g_j = (C G)_ij        g_i' -= (g_i' . g_j / |g_j|^2) g_j   <=>   C_ij -= (C G)_ij / G_jj
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

__all__ = ["pcgrad", "pcgrad_weights"]

_TINY = torch.finfo(torch.float64).tiny


def pcgrad(gradients: Tensor, generator: Generator | None = None) -> Tensor:
    """Algorithm 1 on whole gradients.

    Args:
        gradients: `[tasks, parameters]`, one row a task; left as they are.
        generator: source of each task's random order of the others; default: torch's own.

    Returns:
        `[parameters]`: the sum of the projected gradients.
    """
    wide = gradients.to(torch.float64)
    scaled = wide / _scale(wide)
    weights = pcgrad_weights(scaled @ scaled.T, generator)
    return (weights @ wide).to(gradients.dtype)


def pcgrad_weights(gram: Tensor, generator: Generator | None = None) -> Tensor:
    """Algorithm 1 on inner products.

    Every task is projected against the others' original gradients, in a random order of its own.
    A gradient of norm zero, or below 1e-154 of the longest one, conflicts with nothing and is
    never divided by.

    Args:
        gram: `[tasks, tasks]`, inner products of the tasks' gradients.
        generator: source of the orders.

    Returns:
        `[tasks]`, float64: the factor of each task's original gradient in the result.
    """
    wide = gram.to("cpu", torch.float64)
    rows = (wide / _scale(wide)).tolist()
    tasks = len(rows)
    weights = [0.0] * tasks
    for i in range(tasks):
        coefficients = [0.0] * tasks
        coefficients[i] = 1.0
        for j in torch.randperm(tasks, generator=generator).tolist():
            if j == i or rows[j][j] < _TINY:
                continue
            product = sum(c * rows[k][j] for k, c in enumerate(coefficients))
            if product < 0:
                coefficients[j] -= product / rows[j][j]
        weights = [w + c for w, c in zip(weights, coefficients, strict=True)]
    return torch.tensor(weights, dtype=torch.float64)


def _scale(values: Tensor) -> Tensor:
    """The power of 2 next to the largest value, so that squares neither over- nor underflow.

    Dividing by it changes no digit, and the weights do not depend on it.
    """
    _, exponent = torch.frexp(values.abs().amax() if values.numel() else values.new_ones(()))
    return torch.ldexp(values.new_ones(()), exponent.clamp(-1021, 1023))
