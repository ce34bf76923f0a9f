"""Terms that tie the weights of several tasks together: squared distances, and trace norms.

Shapes: T tasks; each has a tensor of its own of the same shape, P numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["squared_distances", "trace_norm"]

_PIECE = 1 << 20  # numbers that are widened at a time

_ZERO = 1e-12
"""Eigenvalues of the Gram matrix below this share of the largest count as zero: float64 does not
tell them from rounding, and equal weights, as all are at first, have none."""


def squared_distances(weights: Sequence[Tensor]) -> Tensor:
    """Half the sum of the squared distances of all pairs of tasks (Duong et al. 2015), a scalar.

    Of two tasks that is the term which Duong et al. add to their loss, 1/2 |a - b|^2.

    Args:
        weights: a tensor of each task, T of one shape.
    """
    result: Tensor = _SquaredDistances.apply(*weights)  # type: ignore[no-untyped-call]
    return result


def trace_norm(weights: Sequence[Tensor]) -> Tensor:
    """The trace norm of the tasks' weights stacked as rows, `[T, P]` (Yang and Hospedales 2017).

    It is the sum of the singular values, of the tensor of all tasks' weights flattened along its
    last axis, the tasks'. Where a singular value is zero there are many subgradients, and the
    smallest is taken.

    Args:
        weights: a tensor of each task, T of one shape.
    """
    result: Tensor = _TraceNorm.apply(*weights)  # type: ignore[no-untyped-call]
    return result


class _SquaredDistances(torch.autograd.Function):
    """Computed from differences, which are exact for weights as alike as these are."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(*weights)
        squares = [_dot(d, d) for d in _deviations(weights)]
        return torch.stack(squares).sum().mul(len(weights) / 2).to(weights[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        factor = grad * len(ctx.saved_tensors)
        return tuple(d.mul_(factor) for d in _deviations(ctx.saved_tensors))


class _TraceNorm(torch.autograd.Function):
    """By the Gram matrix G `[T, T]` of the rows M: tr(G^1/2), with the gradient G^-1/2 M."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(_gram(weights))
        kept = values > _ZERO * values[-1]
        inverse = torch.where(kept, values, 1).rsqrt() * kept
        ctx.save_for_backward(*weights)
        ctx.factors = (vectors * inverse) @ vectors.t()
        return (values * inverse).sum().to(weights[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        first, *_ = weights = ctx.saved_tensors
        # What the rows have in common is multiplied once: large factors cancel on it.
        factors = (ctx.factors * grad).to(first.dtype)
        common = (ctx.factors.sum(1) * grad).to(first.dtype)
        found = [first * factor for factor in common]
        for column, other in enumerate(weights[1:], start=1):
            difference = other - first
            for row, gradient in enumerate(found):
                gradient.add_(difference * factors[row, column])
        return tuple(found)


def _deviations(weights: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor less the mean of all."""
    first = weights[0]
    differences = [other - first for other in weights]
    mean = torch.stack(differences).mean(0) if len(weights) > 1 else torch.zeros_like(first)
    return [difference.sub_(mean) for difference in differences]


def _gram(weights: Sequence[Tensor]) -> Tensor:
    """Inner products `[T, T]` in float64, a bounded piece at a time."""
    gram = torch.zeros(len(weights), len(weights), dtype=torch.float64, device=weights[0].device)
    for parts in zip(*(w.flatten().split(_PIECE) for w in weights), strict=True):
        rows = torch.stack(parts).double()
        gram.addmm_(rows, rows.t())
    return gram


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten()).double()
