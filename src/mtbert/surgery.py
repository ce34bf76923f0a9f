"""Gradient surgery on tensors, for use without the rest: PCGrad, torch in and out."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mtbert.methods.aggregation.gram import power_of_two
from mtbert.methods.aggregation.pcgrad import PCGrad

__all__ = ["pcgrad", "pcgrad_weights"]


def pcgrad(gradients: Tensor, generator: Generator | None = None) -> Tensor:
    """Algorithm 1 of Yu et al. 2020 on whole gradients.

    Args:
        gradients: `[tasks, parameters]`, one row a task; left as they are.
        generator: source of each task's random order of the others; default: torch's own.

    Returns:
        `[parameters]`: the sum of the projected gradients.
    """
    wide = gradients.to(torch.float64)
    scaled = wide / power_of_two(float(wide.abs().amax()) if wide.numel() else 0.0)
    weights = pcgrad_weights(scaled @ scaled.T, generator)
    return (weights @ wide).to(gradients.dtype)


def pcgrad_weights(gram: Tensor, generator: Generator | None = None) -> Tensor:
    """Algorithm 1 on inner products.

    Args:
        gram: `[tasks, tasks]`, inner products of the tasks' gradients.
        generator: source of the orders.

    Returns:
        `[tasks]`, float64: the factor of each task's original gradient in the result.
    """

    def permute(count: int) -> list[int]:
        order: list[int] = torch.randperm(count, generator=generator).tolist()
        return order

    rows = [str(row) for row in range(len(gram))]
    weights, _ = PCGrad().weights(gram.to("cpu", torch.float64).numpy(), rows, {}, permute)
    return torch.tensor(weights, dtype=torch.float64)
