"""PCGrad as its first implementations do it: one graph kept, gradients flattened and projected.

The algorithm: Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["pcgrad_backward"]


def pcgrad_backward(
    losses: Sequence[Tensor], features: Sequence[Tensor], shared: Sequence[nn.Parameter]
) -> None:
    """Gradients of the heads, and PCGrad's of the shared parameters, into `grad`."""
    rows = []
    for loss in losses:
        loss.backward(retain_graph=True)
        rows.append(torch.cat([_taken(parameter).flatten() for parameter in shared]))
    projected = [row.clone() for row in rows]
    for i, gradient in enumerate(projected):
        for j in torch.randperm(len(rows)).tolist():
            product = torch.dot(gradient, rows[j])
            if i != j and product < 0:
                gradient -= product / torch.dot(rows[j], rows[j]) * rows[j]
    total = torch.stack(projected).sum(0)
    sizes = [parameter.numel() for parameter in shared]
    for parameter, part in zip(shared, total.split(sizes), strict=True):
        parameter.grad = part.view_as(parameter)


def _taken(parameter: nn.Parameter) -> Tensor:
    """The gradient, set aside; zero where there is none."""
    gradient, parameter.grad = parameter.grad, None
    return torch.zeros_like(parameter) if gradient is None else gradient
