"""Dropout from 8 random bits a value.

On a CPU drawing a mask costs more than the matrix products around it when each value takes a draw
of its own, so eight values share one 64-bit draw. The rate is therefore a multiple of 1/256 (0.1
becomes 26/256), on every device; kept values are divided by the exact probability that they are
kept, so the expectation is unchanged. In half precision that quotient is no number (256 / 230 would
become 1.1094, which lowers every mean by 0.3 %): there kept values get one of its two neighbours,
by their random bits, so that the mean is right within 2e-5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.autograd.function import once_differentiable

__all__ = ["add_dropout", "dropout", "keep_mask"]

_VALUES_PER_DRAW = 8
_LEVELS = 256
_COARSE = 1e-5
"""Half precision: the distance of a dtype's 1 to the next number is above it."""


def dropout(x: Tensor, rate: float, generator: Generator | None) -> Tensor:
    """`x` of any shape with a share `rate` of its values zeroed and the others scaled up.

    Without a generator, as in evaluation, `x` itself.
    """
    if generator is None or _level(rate) == 0:
        return x
    return x * keep_mask(x.shape, rate, x, generator)


def add_dropout(x: Tensor, y: Tensor, rate: float, generator: Generator | None) -> Tensor:
    """`x + dropout(y)` in one pass over the values; both of one shape."""
    if generator is None or _level(rate) == 0:
        return x + y
    mask = keep_mask(y.shape, rate, y, generator)
    result: Tensor = _AddMasked.apply(x, y, mask)  # type: ignore[no-untyped-call]
    return result


class _AddMasked(torch.autograd.Function):
    """`x + y * mask`, for whose backward pass the mask is enough."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return torch.addcmul(x, y, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grad, grad * mask, None


@torch.compiler.disable  # type: ignore[untyped-decorator]
def keep_mask(shape: Sequence[int], rate: float, like: Tensor, generator: Generator) -> Tensor:
    """0 where a value is dropped, 1 / P(kept) elsewhere; dtype and device of `like`.

    In half precision 1 / P(kept) on the mean of the kept values.
    """
    level = _level(rate)
    scale = _LEVELS / (_LEVELS - level)
    if like.device.type != "cpu":
        # There a draw a value is cheap, and every kernel that is not launched a gain. Its rate need
        # be no multiple of 1/256, so the scale is one that the dtype has.
        scale = torch.tensor(scale, dtype=like.dtype).item()
        mask = torch.empty(tuple(shape), dtype=like.dtype, device=like.device)
        return mask.bernoulli_(1 / scale, generator=generator).mul_(scale)
    # Compared in the numbers of the result (whole numbers up to 255 are exact in all of them):
    # several times faster than a comparison of bytes and its conversion.
    drawn = _random_bytes(torch.Size(shape).numel(), generator).to(like.dtype)
    if torch.finfo(like.dtype).eps > _COARSE:
        return _rounded_both_ways(drawn, level, scale).view(tuple(shape))
    return drawn.ge_(level).mul_(scale).view(tuple(shape))


def _rounded_both_ways(drawn: Tensor, level: int, scale: float) -> Tensor:
    """The mask of random bytes `drawn`, of which some get the scale rounded up, others down.

    With both shares the 256 equally likely bytes have a mean as close to 1 as can be.
    """
    nearest = torch.tensor(scale, dtype=drawn.dtype)
    other = torch.nextafter(
        nearest, torch.tensor(math.copysign(math.inf, scale - nearest.item()), dtype=drawn.dtype)
    )
    low, high = sorted((nearest.item(), other.item()))
    ups = round((_LEVELS - (_LEVELS - level) * low) / (high - low))
    up = drawn.ge(_LEVELS - ups)
    return drawn.ge_(level).mul_(low).add_(up, alpha=high - low)


def _random_bytes(count: int, generator: Generator) -> Tensor:
    """`[count]`, uint8, on the CPU."""
    # Twice as fast as torch's generator for the processor.
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    fast = np.random.Generator(np.random.SFC64(seed))
    drawn = fast.integers(-(2**63), 2**63, -(-count // _VALUES_PER_DRAW)).view(np.uint8)
    return torch.from_numpy(drawn)[:count]


def _level(rate: float) -> int:
    return min(round(rate * _LEVELS), _LEVELS - 1)
