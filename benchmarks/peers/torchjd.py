"""PCGrad by torchjd."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["pcgrad_backward"]


def pcgrad_backward(
    losses: Sequence[Tensor], features: Sequence[Tensor], shared: Sequence[nn.Parameter]
) -> None:
    """Gradients of the heads, and PCGrad's of the shared parameters, into `grad`."""
    from torchjd.aggregation import PCGrad
    from torchjd.autojac import jac_to_grad, mtl_backward

    # One task at a time: cheaper here than the default, all of them under vmap.
    mtl_backward(losses, features=features, shared_params=shared, parallel_chunk_size=1)
    jac_to_grad(shared, PCGrad())
