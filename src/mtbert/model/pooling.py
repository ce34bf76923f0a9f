"""Pooling: hidden states of a packed batch → one vector per sequence."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mtbert.batch import TokenBatch
from mtbert.model.sharing.base import Encoded, Trunk

__all__ = ["pool_sequences", "side_vectors"]


def pool_sequences(
    trunk: Trunk, task: str, batch: TokenBatch, pooling: str, generator: Generator | None = None
) -> Tensor:
    """One vector for each sequence of a packed batch, `[S, W]`.

    `cls`: the first token's hidden state; `pooled`: the pooler's output for it; `mean`: the mean
    over the sequence's tokens, added up in float32 or better.
    """
    encoded = trunk.encode(task, batch, generator, first_only=pooling != "mean")
    if pooling == "mean":
        return _mean(encoded)
    return trunk.pool(task, encoded.states) if pooling == "pooled" else encoded.states


def _mean(encoded: Encoded) -> Tensor:
    """Means over the sequences' tokens, `[R, W]` → `[S, W]`."""
    hidden, layout = encoded
    tokens = hidden.index_select(0, layout.slots)
    wide = tokens.to(torch.promote_types(hidden.dtype, torch.float32))
    sums = wide.new_zeros(len(layout.lengths), hidden.shape[1])
    sums = sums.index_add(0, layout.sequence_of, wide)
    return sums / layout.sizes.to(wide.dtype).unsqueeze(1)


def side_vectors(pooled: Tensor, sides: int) -> Tensor:
    """`[sides * examples, W]`, all first sides first → `[examples, sides, W]`."""
    return pooled.view(sides, -1, pooled.shape[1]).transpose(0, 1)
