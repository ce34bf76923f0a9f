"""Exponential moving average (EMA) of the weights; it is what gets evaluated and kept.

    a = a + (1 - d_t) (p - a),        d_t = min(d, t / (t + 9))        after update t = 1, 2, …

Weights jump from step to step about a better place than any of them (Polyak and Juditsky 1992;
Izmailov et al. 2018, with equal weights). The decay rises to d so that a short run's average does
not remember where it started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter

__all__ = ["WeightAverage", "decay_after"]


class WeightAverage:
    """Exponential moving average of parameters, by name.

    Attributes:
        weights: the average, tensors of the parameters' shapes.
    """

    def __init__(self, parameters: Mapping[str, Parameter], decay: float) -> None:
        """Of the parameters as they are now.

        Args:
            parameters: that learn.
            decay: d, in (0, 1); the average is over some 1 / (1 - d) updates.
        """
        self._parameters, self._decay = parameters, decay
        self.weights: dict[str, Tensor] = {n: p.detach().clone() for n, p in parameters.items()}

    @torch.no_grad()
    def update(self, number: int, found_inf: Tensor) -> None:
        """Update the average with the weights after update `number`, counted from 1.

        Args:
            number: of the update.
            found_inf: float32 scalar; where it is 1 the average stays what it is.
        """
        share = (1 - found_inf.double()) * (1 - decay_after(number, self._decay))
        shares = {dtype: share.to(dtype) for dtype in {w.dtype for w in self.weights.values()}}
        for name, parameter in self._parameters.items():
            self.weights[name].lerp_(parameter, shares[parameter.dtype])

    @torch.no_grad()
    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        for name, average in self.weights.items():
            average.copy_(weights[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the parameters hold the average."""
        own = {name: p.detach().clone() for name, p in self._parameters.items()}
        _copy(self.weights, self._parameters)
        try:
            yield
        finally:
            _copy(own, self._parameters)


def decay_after(number: int, decay: float) -> float:
    """d_t: the decay of update `number`, counted from 1, on the way to `decay`."""
    return min(decay, number / (number + 9))


@torch.no_grad()
def _copy(weights: Mapping[str, Tensor], parameters: Mapping[str, Parameter]) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])
