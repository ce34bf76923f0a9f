"""PopArt: a target's scale that follows its labels while a head's answers stay where they are.

van Hasselt et al. 2016, Learning values across many orders of magnitude, section "Adaptive
normalization with Pop-Art"; Hessel et al. 2019, Multi-task deep reinforcement learning with PopArt,
who keep one scale a task and step by 3e-4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtbert.objectives.target_scale import TargetScale

__all__ = ["STEP_SIZE", "RunningScale", "rescale"]

STEP_SIZE = 3e-4
"""Beta, of Hessel et al. 2019."""

_ROUNDING = 1e-12
"""Equal labels have a deviation of some 1e-16 of their mean, by the rounding of the mean."""


@dataclass(frozen=True, slots=True)
class RunningScale:
    """Running mean and variance of the labels that were trained on.

    With the step size beta_t, the first moment m and the second one n,

        m <- (1 - beta_t) m + beta_t mean(y),     n <- (1 - beta_t) n + beta_t mean(y^2),
        variance = n - m^2,                       beta_t = beta / (1 - (1 - beta)^t).

    The first update has step size 1, so nothing of the start remains; the first 1 / beta are about
    the plain mean over all labels seen. The variance is kept in the place of n, since the
    difference of two large numbers has lost its digits.

    Attributes:
        mean: m.
        variance: n - m^2, 0 or more.
        updates: t.
    """

    mean: float = 0.0
    variance: float = 1.0
    updates: int = 0

    @property
    def scale(self) -> TargetScale:
        """As a head has it; while the labels have not differed the deviation counts as 1."""
        deviation = math.sqrt(self.variance)
        differ = deviation > _ROUNDING * abs(self.mean)
        return TargetScale(self.mean, deviation if differ else 1.0)

    def after(self, labels: NDArray[np.float64]) -> RunningScale:
        """The running scale after one more batch of labels, `[examples]`, at least one."""
        count = self.updates + 1
        share = STEP_SIZE / -math.expm1(count * math.log1p(-STEP_SIZE))
        distance = float(labels.mean()) - self.mean
        variance = (1 - share) * (self.variance + share * distance**2)
        variance += share * float(labels.var())
        return RunningScale(self.mean + share * distance, variance, count)


@torch.no_grad()
def rescale(weight: Tensor, bias: Tensor, before: TargetScale, after: TargetScale) -> None:
    """Change a linear layer in place so that its answers in the labels' unit stay what they are.

    With mean m and deviation s before, m' and s' after:

        W' = W s / s',     b' = (s b + m - m') / s'.

    Args:
        weight: `[outputs, features]`.
        bias: `[outputs]`.
        before: the scale that the outputs are on.
        after: the one that they come to be on.
    """
    weight.mul_(before.deviation / after.deviation)
    moved = before.deviation * bias.double() + (before.mean - after.mean)
    bias.copy_(moved / after.deviation)
