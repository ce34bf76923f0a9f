"""A learned mix of an encoder's last layers, one for each task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LayerMix"]


class LayerMix(nn.Module):
    """`scale * sum_j softmax(scores)_j h_j` (Peters et al. 2018, section "ELMo").

    Fresh, it is the plain mean of the layers.

    Attributes:
        scores: `[layers]`.
        scale: `[1]`, one factor for the whole vector.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.empty(layers))
        self.scale = nn.Parameter(torch.empty(1))

    @torch.no_grad()
    def start(self) -> None:
        """Equal weights that sum to 1."""
        self.scores.zero_()
        self.scale.fill_(1)

    def forward(self, states: Tensor) -> Tensor:
        """`[…, layers, W]`, the last layer last → `[…, W]`."""
        weights = self.scale * self.scores.softmax(0)
        return torch.einsum("...lw,l->...w", states.to(weights.dtype), weights)
