"""The linear layer of ordinal classes: one score, and thresholds that stay in order."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["OrderedThresholds"]


class OrderedThresholds(nn.Module):
    """Features → `weight @ features + b_k`, with `b_1 > b_2 > …` whatever the parameters are.

    The first threshold is a parameter itself, each further one lies the softplus of a parameter
    below the one before. Parameters are named as those of `nn.Linear`.

    Attributes:
        weight: `[1, features]`, the slope that all thresholds share.
        bias: `[thresholds]`, the first threshold and the parameters of the gaps.
    """

    def __init__(self, features: int, thresholds: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, features))
        self.bias = nn.Parameter(torch.empty(thresholds))

    @torch.no_grad()
    def start(self) -> None:
        """Thresholds by which a text of score 0 has all classes with equal probability."""
        classes = len(self.bias) + 1
        logits = [math.log((classes - k) / k) for k in range(1, classes)]
        gaps = [a - b for a, b in itertools.pairwise(logits)]
        parameters = [logits[0], *(math.log(math.expm1(gap)) for gap in gaps)]
        self.bias.copy_(torch.tensor(parameters))

    def forward(self, features: Tensor) -> Tensor:
        """`[examples, features]` → `[examples, thresholds]`, falling along each row."""
        gaps = functional.softplus(self.bias[1:])
        thresholds = self.bias[:1] - torch.cat((gaps.new_zeros(1), gaps.cumsum(0)))
        return functional.linear(features, self.weight) + thresholds
