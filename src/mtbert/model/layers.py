"""Linear and LayerNorm with float32 parameters that compute in the dtype of their input."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LayerNorm", "Linear"]


class Linear(nn.Linear):
    """x W' + b in the dtype of x."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, in]` → `[…, out]`."""
        return functional.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class LayerNorm(nn.LayerNorm):
    """Layer normalisation in the dtype of x; its statistics are float32 or better."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, W]` → `[…, W]`."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return functional.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
