"""Self-attention over packed sequences: the only place that sees their boundaries.

Shapes: T tokens of the batch, S sequences, H heads, D values a head; in a group of sequences of
similar length N sequences and L positions, the longest one's length.

Each group is attended by plain matrix products over `[N, H, L, D]`. Forward and backward are
written out by hand, so that per group nothing is kept but what the backward pass needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.autograd.function import once_differentiable

from mtbert.model.dropout import keep_mask

__all__ = ["Layout", "attend"]


@dataclass(frozen=True, slots=True)
class _Group:
    """Sequences of similar length.

    Attributes:
        count: N.
        length: L.
        rows: `[N * L]`, the row of each position in the packed batch, 0 at padding.
        positions: tokens of the group among the `N * L` positions, or None if it has no padding.
        tokens: their rows in the packed batch.
        padding: the other positions.
        bias: `[N, 1, 1, L]` float32, minus infinity at padded keys, or None.
    """

    count: int
    length: int
    rows: Tensor
    positions: Tensor | None
    tokens: Tensor
    padding: Tensor
    bias: Tensor | None


class Layout:
    """Where the sequences of a packed batch begin and end.

    Attributes:
        lengths: tokens of each sequence.
        starts: `[S]`, row of each sequence's first token.
        sequence_of: `[T]`, the sequence of each token.
        position_of: `[T]`, each token's position in its sequence.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        if not lengths or min(lengths) < 1:
            raise ValueError("a batch needs sequences, each with a token or more")
        self.lengths = tuple(lengths)
        sizes = torch.tensor(lengths)
        ends = sizes.cumsum(0)
        starts = ends - sizes
        sequence_of = torch.repeat_interleave(torch.arange(len(lengths)), sizes)
        position_of = torch.arange(int(ends[-1])) - starts[sequence_of]
        self.starts = starts.to(device)
        self.sequence_of = sequence_of.to(device)
        self.position_of = position_of.to(device)
        self.groups = [
            _group(starts[members], sizes[members], device) for members in _by_bucket(lengths)
        ]


def attend(
    qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
) -> Tensor:
    """Scaled dot-product attention within each sequence.

    Args:
        qkv: `[T, 3 * H * D]`: queries, keys and values side by side.
        layout: the sequences' boundaries.
        heads: H.
        rate: dropout of the attention weights; applied only with a generator.
        generator: source of the dropout.

    Returns:
        `[T, H * D]`.
    """
    result: Tensor = _Attention.apply(qkv, layout, heads, rate, generator)  # type: ignore[no-untyped-call]
    return result


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
    ) -> Tensor:
        context = qkv.new_empty(qkv.shape[0], qkv.shape[1] // 3)
        saved: list[Tensor] = []
        for group in layout.groups:
            q, k, v = _split_heads(_pad(qkv, group), group, 3, heads)
            scores = torch.matmul(q, k.transpose(-1, -2)).mul_(1 / math.sqrt(q.shape[-1]))
            if group.bias is not None:
                scores += group.bias.to(scores.dtype)
            weights = torch.softmax(scores, dim=-1)
            saved += [q, k, v, weights]
            if generator is not None and rate > 0:
                mask = keep_mask(weights.shape, rate, weights, generator)
                saved.append(mask)
                weights = weights * mask
            _unpad(torch.matmul(weights, v).transpose(1, 2), group, context)
        ctx.save_for_backward(*saved)
        ctx.layout, ctx.heads = layout, heads
        return context

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        layout: Layout = ctx.layout
        heads: int = ctx.heads
        grad_qkv = grad.new_empty(grad.shape[0], grad.shape[1] * 3)
        kept = len(ctx.saved_tensors) // len(layout.groups)
        for i, group in enumerate(layout.groups):
            q, k, v, weights, *masks = ctx.saved_tensors[i * kept : (i + 1) * kept]
            (grad_out,) = _split_heads(_pad(grad, group), group, 1, heads)
            grad_weights = torch.matmul(grad_out, v.transpose(-1, -2))
            dropped = weights
            if masks:
                grad_weights *= masks[0]
                dropped = weights * masks[0]
            grad_v = torch.matmul(dropped.transpose(-1, -2), grad_out)
            # Softmax: dS = P * (dP - sum(dP * P)).
            grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            grad_scores.mul_(1 / math.sqrt(q.shape[-1]))
            grad_q = torch.matmul(grad_scores, k)
            grad_k = torch.matmul(grad_scores.transpose(-1, -2), q)
            joined = torch.stack((grad_q, grad_k, grad_v), dim=1)  # [N, 3, H, L, D]
            _unpad(joined.permute(0, 3, 1, 2, 4), group, grad_qkv)
        return grad_qkv, None, None, None, None


def _by_bucket(lengths: Sequence[int]) -> list[Tensor]:
    """Sequence numbers by length, in buckets that widen: few products, little padding."""
    buckets: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        width = 16 if length <= 64 else 32 if length <= 128 else 64
        buckets.setdefault(-(-length // width) * width, []).append(i)
    return [torch.tensor(buckets[key]) for key in sorted(buckets)]


def _group(starts: Tensor, sizes: Tensor, device: torch.device) -> _Group:
    count, length = len(sizes), int(sizes.max())
    column = torch.arange(length)
    real = column < sizes[:, None]
    rows = torch.where(real, starts[:, None] + column, 0).flatten()
    flat = real.flatten()
    if bool(flat.all()):
        empty = torch.zeros(0, dtype=torch.int64, device=device)
        moved = rows.to(device)
        return _Group(count, length, moved, None, moved, empty, None)
    positions = flat.nonzero().squeeze(1)
    bias = torch.zeros(count, 1, 1, length).masked_fill_(~real[:, None, None], -math.inf)
    return _Group(
        count,
        length,
        rows.to(device),
        positions.to(device),
        rows[positions].to(device),
        (~flat).nonzero().squeeze(1).to(device),
        bias.to(device),
    )


def _pad(packed: Tensor, group: _Group) -> Tensor:
    """`[T, F]` → `[N * L, F]` with zeros at padding."""
    padded = packed.index_select(0, group.rows)
    if group.bias is not None:
        padded.index_fill_(0, group.padding, 0)
    return padded


def _unpad(padded: Tensor, group: _Group, into: Tensor) -> None:
    """`[N, L, …]` → the group's rows of `into`, `[T, F]`."""
    flat = padded.reshape(group.count * group.length, into.shape[1])
    if group.positions is not None:
        flat = flat.index_select(0, group.positions)
    into.index_copy_(0, group.tokens, flat)


def _split_heads(padded: Tensor, group: _Group, parts: int, heads: int) -> tuple[Tensor, ...]:
    """`[N * L, parts * H * D]` → `parts` tensors `[N, H, L, D]`, contiguous."""
    split = padded.view(group.count, group.length, parts, heads, -1)
    return split.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
