"""Linear and LayerNorm with float32 parameters that compute in the dtype of their input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LayerNorm", "Linear", "keep_casts"]


class _Casting:
    """Weight and bias in the dtype that they are used in.

    A model that only answers may keep them (`keep_casts`): to cast the weights of all layers takes
    about as long as to encode a sentence. What was kept is used as long as the parameters are
    those that it was made of: not after they have changed or moved, and not by a copy.
    """

    weight: Any  # parameters, which torch's classes declare in ways of their own
    bias: Any
    _kept: tuple[Tensor, Tensor] | None = None
    _kept_of: tuple[object, ...] = ()

    def keep(self, dtype: torch.dtype) -> None:
        """Cast once, for all passes without gradients to come; the parameters stay as they are."""
        self._kept = None
        if self.weight.dtype != dtype:
            self._kept = self.weight.detach().to(dtype), self.bias.detach().to(dtype)
            self._kept_of = _identity(self.weight, self.bias)

    def cast(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Weight and bias."""
        weight, bias, kept = self.weight, self.bias, self._kept
        if (
            kept is not None
            and kept[0].dtype == dtype
            and not torch.is_grad_enabled()
            and self._kept_of == _identity(weight, bias)
        ):
            return kept
        return weight.to(dtype), bias.to(dtype)


def _identity(*tensors: Tensor) -> tuple[object, ...]:
    """What is another where tensors are others, lie elsewhere, or have been changed in place."""
    return tuple((t.data_ptr(), t.device, 0 if t.is_inference() else t._version) for t in tensors)


class Linear(_Casting, nn.Linear):
    """x W' + b in the dtype of x."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, in]` → `[…, out]`."""
        return functional.linear(x, *self.cast(x.dtype))


class LayerNorm(_Casting, nn.LayerNorm):
    """Layer normalisation in the dtype of x; its statistics are float32 or better."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, W]` → `[…, W]`."""
        return functional.layer_norm(x, self.normalized_shape, *self.cast(x.dtype), self.eps)


def keep_casts(module: nn.Module, dtype: torch.dtype) -> None:
    """Let the layers of a module keep their parameters in a dtype: as they are, where they are."""
    for layer in module.modules():
        if isinstance(layer, _Casting):
            layer.keep(dtype)
