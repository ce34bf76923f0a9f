"""Self-attention over packed sequences: the only place that sees their boundaries.

Shapes: T tokens of the batch, S sequences, R slots, H heads, D values a head; in a group of chunks
C chunks of L slots each.

The sequences of a batch lie in chunks, several short ones in one chunk, one after another, so that
a chunk is nearly full: R is T and a few empty slots. Chunks of
equal length are attended together by plain matrix products over `[C, H, L, L]`, and a bias keeps
the sequences of a chunk apart. So no token is moved between the layers, and the few shapes that
occur come back in every step, which matters where a matrix product of a new shape has to be
compiled first (oneDNN on CPUs takes milliseconds).

Forward and backward are written out by hand, so that nothing is kept but what the backward pass
needs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.autograd.function import once_differentiable

from mtbert.model.dropout import keep_mask

__all__ = ["Layout", "attend"]

_CHUNK = 64
"""Slots of the chunks that short sequences share."""
_STEP = 32
"""Longer chunks come in multiples of this."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Chunks of equal length, side by side.

    Attributes:
        first: the first slot.
        count: C.
        length: L.
        bias: `[C, 1, L, L]` float32, minus infinity between sequences.
    """

    first: int
    count: int
    length: int
    bias: Tensor

    @property
    def slots(self) -> slice:
        return slice(self.first, self.first + self.count * self.length)


class Layout:
    """Where the sequences of a batch lie.

    Attributes:
        lengths: tokens of each sequence, in the batch's order.
        size: R.
        slots: `[T]`, the slot of each token.
        starts: `[S]`, the slot of each sequence's first token.
        sequence_of: `[T]`, the sequence of each token.
        position_of: `[T]`, each token's position in its sequence.
        groups: the chunks.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        if not lengths or min(lengths) < 1:
            raise ValueError("a batch needs sequences, each with a token or more")
        self.lengths = tuple(lengths)
        chunks = _pack(self.lengths)
        first_slots = [0] * len(lengths)
        self.groups: list[_Group] = []
        self.size = 0
        for length in sorted(chunks):
            for number, members in enumerate(chunks[length]):
                slot = self.size + number * length
                for sequence in members:
                    first_slots[sequence] = slot
                    slot += lengths[sequence]
            bias = _bias(chunks[length], self.lengths, length).to(device)
            group = _Group(self.size, len(chunks[length]), length, bias)
            self.groups.append(group)
            self.size = group.slots.stop
        sizes = torch.tensor(lengths)
        ends = sizes.cumsum(0)
        starts = torch.tensor(first_slots)
        sequence_of = torch.repeat_interleave(torch.arange(len(lengths)), sizes)
        position_of = torch.arange(int(ends[-1])) - (ends - sizes)[sequence_of]
        self.starts = starts.to(device)
        self.slots = (starts[sequence_of] + position_of).to(device)
        self.sequence_of = sequence_of.to(device)
        self.position_of = position_of.to(device)

    def place(self, values: Tensor) -> Tensor:
        """`[T, …]` → `[R, …]`, zero in the empty slots."""
        return values.new_zeros(self.size, *values.shape[1:]).index_copy(0, self.slots, values)


def attend(
    qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
) -> Tensor:
    """Scaled dot-product attention within each sequence.

    Args:
        qkv: `[R, 3 * H * D]`: queries, keys and values side by side.
        layout: the sequences' boundaries.
        heads: H.
        rate: dropout of the attention weights; applied only with a generator.
        generator: source of the dropout.

    Returns:
        `[R, H * D]`.
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
            q, k, v = _split_heads(qkv, group, 3, heads)
            scores = torch.matmul(q, k.transpose(-1, -2))
            bias = group.bias.to(scores.dtype)
            weights = torch.softmax(bias.add(scores, alpha=_scale(q)), dim=-1)
            saved += [q, k, v, weights]
            if generator is not None and rate > 0:
                mask = keep_mask(weights.shape, rate, weights, generator)
                saved.append(mask)
                weights = weights * mask
            _parts(context, group, 1, heads)[:, :, 0] = torch.matmul(weights, v).transpose(1, 2)
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
            (grad_out,) = _split_heads(grad, group, 1, heads)
            grad_weights = torch.matmul(grad_out, v.transpose(-1, -2))
            dropped = weights
            if masks:
                grad_weights = grad_weights * masks[0]
                dropped = weights * masks[0]
            # Softmax: dS = P * (dP - sum(dP * P)).
            grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            grad_q = torch.matmul(grad_scores, k)
            grad_k = torch.matmul(grad_scores.transpose(-1, -2), q)
            grad_v = torch.matmul(dropped.transpose(-1, -2), grad_out)
            parts, scale = _parts(grad_qkv, group, 3, heads), _scale(q)
            torch.mul(grad_q.transpose(1, 2), scale, out=parts[:, :, 0])
            torch.mul(grad_k.transpose(1, 2), scale, out=parts[:, :, 1])
            parts[:, :, 2] = grad_v.transpose(1, 2)
        return grad_qkv, None, None, None, None


def _pack(lengths: Sequence[int]) -> dict[int, list[list[int]]]:
    """Sequences → chunks: sequence numbers of each chunk, by the chunk's length.

    Best fit, decreasing: each sequence, the longest first, goes where it leaves the least room,
    or else opens a chunk.
    """
    chunks: defaultdict[int, list[list[int]]] = defaultdict(list)
    room: defaultdict[int, list[list[int]]] = defaultdict(list)
    for sequence in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[sequence]
        left = min((r for r in room if r >= length and room[r]), default=None)
        if left is None:
            size = max(_CHUNK, -(-length // _STEP) * _STEP)
            chunk: list[int] = []
            chunks[size].append(chunk)
            left = size
        else:
            chunk = room[left].pop()
        chunk.append(sequence)
        room[left - length].append(chunk)
    return chunks


def _bias(chunks: list[list[int]], lengths: Sequence[int], length: int) -> Tensor:
    """`[C, 1, L, L]`: 0 within a sequence, minus infinity elsewhere.

    Empty slots see one another, so that no row is without a key.
    """
    owner = torch.full((len(chunks), length), -1)
    for row, members in zip(owner, chunks, strict=True):
        end = 0
        for sequence in members:
            start, end = end, end + lengths[sequence]
            row[start:end] = sequence
    apart = owner[:, :, None] != owner[:, None, :]
    return torch.zeros(apart.shape).masked_fill_(apart, -math.inf).unsqueeze(1)


def _scale(q: Tensor) -> float:
    return 1 / math.sqrt(q.shape[-1])


def _parts(packed: Tensor, group: _Group, parts: int, heads: int) -> Tensor:
    """The group's slots of `[R, parts * H * D]` as a view `[C, L, parts, H, D]`."""
    return packed[group.slots].view(group.count, group.length, parts, heads, -1)


def _split_heads(packed: Tensor, group: _Group, parts: int, heads: int) -> tuple[Tensor, ...]:
    """The group's slots of `[R, parts * H * D]` → `parts` tensors `[C, H, L, D]`, contiguous."""
    return _parts(packed, group, parts, heads).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
