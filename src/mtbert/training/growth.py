"""How long each task's gradient is, seen from how `.grad` grows; the sum itself is not touched.

Setting gradients aside to measure them (`training.gram`) sums sparse rows in another order, which
changes the last digits of the weights. What only watches must not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

__all__ = ["GradientGrowth"]


class GradientGrowth:
    """Norms of what is added to `.grad`, task after task; takes the memory of one gradient."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        """Begin where no parameter has a gradient."""
        self._parameters = parameters
        self._before: list[Tensor | None] = [None] * len(parameters)

    @torch.no_grad()
    def norm(self) -> Tensor:
        """Norm of what has been added since the last call, a scalar on the device."""
        squares = []
        for k, parameter in enumerate(self._parameters):
            if (now := parameter.grad) is None:
                continue
            before = self._before[k]
            added = now if before is None else now - before
            values = (added.coalesce().values() if added.is_sparse else added).flatten()
            squares.append(torch.dot(values, values))
            self._before[k] = now.clone()
        if not squares:
            return torch.zeros((), device=self._parameters[0].device)
        return torch.stack(squares).sum().sqrt()
