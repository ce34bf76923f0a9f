"""Pooling: hidden states of a packed batch → one vector per sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mtbert.batch import TokenBatch, move
from mtbert.model.attention_pooling import AttentionPooling
from mtbert.model.sharing.base import Encoded, Trunk

__all__ = ["View", "mean_of_windows", "pool", "side_vectors"]


@dataclass(frozen=True, slots=True)
class View:
    """What a head reads of a sequence's hidden states.

    Attributes:
        pooling: `cls`: the first token's; `pooled`: the pooler's output for it; `mean`: the mean
            over the sequence's tokens; `attention`: their mean by the weights of
        attention: the head's own; None for the other poolings.
        layers: how many of the last layers; `attention` makes one of them, the others pool each.
    """

    pooling: str
    layers: int = 1
    attention: AttentionPooling | None = None

    @property
    def first_only(self) -> bool:
        """Whether the first tokens are all that is read."""
        return self.pooling in ("cls", "pooled")


def pool(
    trunk: Trunk,
    task: str,
    batch: TokenBatch,
    views: Sequence[View],
    generator: Generator | None = None,
) -> dict[View, Tensor]:
    """One vector for each sequence of a packed batch, by view, from one pass of the encoder.

    Returns:
        `[S, W]` each, or `[S, layers, W]` where a view has several layers and no attention. Means
        are added up in float32 or better.
    """
    first_only = all(view.first_only for view in views)
    last_layers = max(view.layers for view in views)
    encoded = trunk.encode(task, batch, generator, first_only=first_only, last_layers=last_layers)
    found = {}
    for view in dict.fromkeys(views):
        if not view.first_only:
            found[view] = _over_tokens(view, encoded)
            continue
        first = _last(encoded.states if first_only else encoded.at_starts(), view.layers)
        found[view] = trunk.pool(task, first) if view.pooling == "pooled" else first
    return found


def _over_tokens(view: View, encoded: Encoded) -> Tensor:
    states, layout = encoded
    tokens = _last(states, view.layers).index_select(0, layout.slots)
    if view.attention is not None:
        return view.attention(tokens, layout.sequence_of, len(layout.lengths))
    wide = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
    sums = wide.new_zeros(len(layout.lengths), *wide.shape[1:])
    sums = sums.index_add(0, layout.sequence_of, wide)
    return sums / _along_first(layout.sizes.to(wide.dtype), sums)


def _last(states: Tensor, layers: int) -> Tensor:
    """The states of the last layers, `[…, W]` of one, `[…, layers, W]` of several."""
    if states.ndim == 2:
        return states
    return states[:, -1] if layers == 1 else states[:, -layers:]


def _along_first(values: Tensor, like: Tensor) -> Tensor:
    """`[n]` in a shape that is spread over `[n, …]`."""
    return values.view(-1, *[1] * (like.ndim - 1))


def mean_of_windows(pooled: Tensor, lengths: Sequence[int], windows: Sequence[int]) -> Tensor:
    """Vectors of windows `[S, …]` → of their texts `[texts, …]`, added up in float32 or better.

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
    shares = move(_along_first(tokens / total[text_of], pooled), device)
    sums = pooled.new_zeros(len(windows), *pooled.shape[1:], dtype=wide)
    return sums.index_add(0, move(text_of, device), pooled.to(wide) * shares)


def side_vectors(pooled: Tensor, sides: int) -> Tensor:
    """`[sides * examples, …]`, all first sides first → `[examples, sides, …]`."""
    return pooled.view(sides, -1, *pooled.shape[1:]).transpose(0, 1)
