"""Dropout from 8 random bits a value.

Drawing a mask costs more than the matrix products around it when each value takes a draw of its
own, so eight values share one 64-bit draw. The rate is therefore a multiple of 1/256 (0.1 becomes
26/256); kept values are divided by the exact probability that they are kept, so the expectation
is unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

__all__ = ["dropout", "keep_mask"]

_VALUES_PER_DRAW = 8
_LEVELS = 256


def dropout(x: Tensor, rate: float, generator: Generator | None) -> Tensor:
    """`x` of any shape with a share `rate` of its values zeroed and the others scaled up.

    Without a generator, as in evaluation, `x` itself.
    """
    if generator is None or _level(rate) == 0:
        return x
    return x * keep_mask(x.shape, rate, x, generator)


def keep_mask(shape: Sequence[int], rate: float, like: Tensor, generator: Generator) -> Tensor:
    """0 where a value is dropped, 1 / P(kept) elsewhere; dtype and device of `like`."""
    count = torch.Size(shape).numel()
    draws = torch.empty(-(-count // _VALUES_PER_DRAW), dtype=torch.int64, device=like.device)
    draws.random_(-(2**63), None, generator=generator)
    level = _level(rate)
    kept = draws.view(torch.uint8)[:count].ge(level).to(like.dtype)
    return kept.mul_(_LEVELS / (_LEVELS - level)).view(shape)


def _level(rate: float) -> int:
    return min(round(rate * _LEVELS), _LEVELS - 1)
