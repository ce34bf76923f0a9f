"""Pooling: hidden states of a packed batch → one vector per sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from mtbert.batch import TokenBatch, move
from mtbert.model.sharing.base import Encoded, Trunk

__all__ = ["mean_of_windows", "pool_by", "pool_sequences", "side_vectors"]


def pool_sequences(
    trunk: Trunk, task: str, batch: TokenBatch, pooling: str, generator: Generator | None = None
) -> Tensor:
    """One vector for each sequence of a packed batch, `[S, W]`.

    `cls`: the first token's hidden state; `pooled`: the pooler's output for it; `mean`: the mean
    over the sequence's tokens, added up in float32 or better.
    """
    return pool_by(trunk, task, batch, [pooling], generator)[pooling]


def pool_by(
    trunk: Trunk,
    task: str,
    batch: TokenBatch,
    poolings: Sequence[str],
    generator: Generator | None = None,
) -> dict[str, Tensor]:
    """What `pool_sequences` gives, by pooling, from one pass of the encoder."""
    first_only = "mean" not in poolings
    encoded = trunk.encode(task, batch, generator, first_only=first_only)
    if list(poolings) == ["mean"]:
        return {"mean": _mean(encoded)}
    states, layout = encoded
    first = states if first_only else states.index_select(0, layout.starts)
    ways = {
        "cls": lambda: first,
        "pooled": lambda: trunk.pool(task, first),
        "mean": lambda: _mean(encoded),
    }
    return {pooling: ways[pooling]() for pooling in poolings}


def _mean(encoded: Encoded) -> Tensor:
    """Means over the sequences' tokens, `[R, W]` → `[S, W]`."""
    hidden, layout = encoded
    tokens = hidden.index_select(0, layout.slots)
    wide = tokens.to(torch.promote_types(hidden.dtype, torch.float32))
    sums = wide.new_zeros(len(layout.lengths), hidden.shape[1])
    sums = sums.index_add(0, layout.sequence_of, wide)
    return sums / layout.sizes.to(wide.dtype).unsqueeze(1)


def mean_of_windows(pooled: Tensor, lengths: Sequence[int], windows: Sequence[int]) -> Tensor:
    """Vectors of windows `[S, W]` → of their texts `[texts, W]`, added up in float32 or better.

    A window counts by its tokens, so the short rest of a text counts little.

    Args:
        pooled: one vector for each window.
        lengths: `[S]`, tokens of the windows.
        windows: `[texts]`, windows of each text; they follow one another.
    """
    device, wide = pooled.device, torch.promote_types(pooled.dtype, torch.float32)
    text_of = torch.repeat_interleave(torch.tensor(windows))
    tokens = torch.tensor(lengths, dtype=wide)
    total = tokens.new_zeros(len(windows)).index_add(0, text_of, tokens)
    shares = move((tokens / total[text_of]).unsqueeze(1), device)
    sums = pooled.new_zeros(len(windows), pooled.shape[1], dtype=wide)
    return sums.index_add(0, move(text_of, device), pooled.to(wide) * shares)


def side_vectors(pooled: Tensor, sides: int) -> Tensor:
    """`[sides * examples, W]`, all first sides first → `[examples, sides, W]`."""
    return pooled.view(sides, -1, pooled.shape[1]).transpose(0, 1)
