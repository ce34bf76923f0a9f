"""Self-attention over packed sequences: the only place that sees their boundaries.

Shapes: T tokens of the batch, S sequences, R slots, H heads, D values a head; in a group of chunks
C chunks of L slots each.

The sequences of a batch lie in chunks, several short ones in one chunk, one after another, so that
a chunk is nearly full: R is T and a few empty slots. Chunks of
equal length are attended together by plain matrix products over `[C, H, L, L]`, and a bias keeps
the sequences of a chunk apart. So no token is moved between the layers, and the few shapes that
occur come back in every step, which matters where a matrix product of a new shape has to be
compiled first (oneDNN on CPUs takes milliseconds).

Three kernels compute the same function:

- `eager`: forward and backward written out by hand, so that nothing is kept but what the backward
  pass needs. The default on CPUs.
- `sdpa`: torch's scaled-dot-product attention over the chunks, with the bias as its mask. The
  default on GPUs, where it launches fewer kernels.
- `varlen`: torch's variable-length flash attention over the slots as they lie, without chunks and
  bias. GPUs and bf16 only; it has no dropout, so attention weights are trained without any.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from mtbert.batch import move
from mtbert.model.dropout import keep_mask

__all__ = ["KERNELS", "Attention", "Layout", "attend"]

_CHUNK = 64
"""Slots of the chunks that short sequences share."""
_STEP = 32
"""Longer chunks come in multiples of this."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Chunks of equal length, side by side.

    Attributes:
        first: the first slot.
        owner: `[C, L]`, the sequence in each slot; -1 in an empty one.
    """

    first: int
    owner: Tensor
    _biases: dict[torch.dtype, Tensor] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """C."""
        return self.owner.shape[0]

    @property
    def length(self) -> int:
        """L."""
        return self.owner.shape[1]

    @property
    def slots(self) -> slice:
        """Of all its chunks."""
        return slice(self.first, self.first + self.owner.numel())

    def bias(self, dtype: torch.dtype) -> Tensor:
        """`[C, 1, L, L]`: 0 within a sequence, minus infinity elsewhere.

        Empty slots see one another, so that no row is without a key.
        """
        if dtype not in self._biases:
            apart = self.owner[:, :, None] != self.owner[:, None, :]
            zeros = torch.zeros(apart.shape, dtype=dtype, device=apart.device)
            self._biases[dtype] = zeros.masked_fill_(apart, -math.inf).unsqueeze(1)
        return self._biases[dtype]


class Layout:
    """Where the sequences of a batch lie.

    Attributes:
        lengths: tokens of each sequence, in the batch's order.
        size: R.
        slots: `[T]`, the slot of each token.
        starts: `[S]`, the slot of each sequence's first token.
        sizes: `[S]`, tokens of each sequence.
        sequence_of: `[T]`, the sequence of each token.
        position_of: `[T]`, each token's position in its sequence.
        groups: the chunks.
    """

    def __init__(
        self, lengths: Sequence[int], device: torch.device, *, bucketed: bool = False
    ) -> None:
        """Place the sequences. All that the device needs reaches it in one copy.

        Args:
            lengths: tokens of each sequence.
            device: where the batch lies.
            bucketed: add empty slots so that few values of R occur, as compiled code and CUDA
                graphs want it.

        Raises:
            ValueError: there is no sequence, or an empty one.
        """
        if not lengths or min(lengths) < 1:
            raise ValueError("a batch needs sequences, each with a token or more")
        self.lengths = tuple(lengths)
        self._device = device
        chunks = _pack(self.lengths)
        self._first_slots = [0] * len(lengths)
        firsts: list[int] = []
        owners: list[Tensor] = []
        filled = 0
        for length in sorted(chunks):
            for number, members in enumerate(chunks[length]):
                slot = filled + number * length
                for sequence in members:
                    self._first_slots[sequence] = slot
                    slot += lengths[sequence]
            firsts.append(filled)
            owners.append(_owners(chunks[length], self.lengths, length))
            filled += owners[-1].numel()
        self.size = _bucket(filled) if bucketed else filled
        if self.size > filled:
            firsts.append(filled)
            owners.append(torch.full(((self.size - filled) // _STEP, _STEP), -1))
        sizes = torch.tensor(lengths)
        ends = sizes.cumsum(0)
        starts = torch.tensor(self._first_slots)
        sequence_of = torch.repeat_interleave(torch.arange(len(lengths)), sizes)
        position_of = torch.arange(int(ends[-1])) - (ends - sizes)[sequence_of]
        slots = starts[sequence_of] + position_of
        parts = [starts, sizes, slots, sequence_of, position_of, *(o.flatten() for o in owners)]
        found = move(torch.cat(parts), device).split([len(part) for part in parts])
        self.starts, self.sizes, self.slots, self.sequence_of, self.position_of = found[:5]
        self.groups = [
            _Group(first, moved.view(owner.shape))
            for first, owner, moved in zip(firsts, owners, found[5:], strict=True)
        ]

    def place(self, values: Tensor) -> Tensor:
        """`[T, …]` → `[R, …]`, zero in the empty slots."""
        return values.new_zeros(self.size, *values.shape[1:]).index_copy(0, self.slots, values)

    @cached_property
    def bounds(self) -> Tensor:
        """`[stretches + 1]`, int32: where the sequences begin, by slot, then R.

        Empty slots between two sequences count as a sequence of their own.
        """
        return move(torch.tensor(self._edges, dtype=torch.int32), self._device)

    @cached_property
    def longest(self) -> int:
        """Slots of the longest stretch of `bounds`."""
        return max(end - start for start, end in pairwise(self._edges))

    @cached_property
    def _edges(self) -> list[int]:
        edges = {0, self.size}
        for start, length in zip(self._first_slots, self.lengths, strict=True):
            edges |= {start, start + length}
        return sorted(edges)


class Attention(nn.Module):
    """A module that attends.

    Attributes:
        kernel: by which it does, a name of `KERNELS`.
    """

    kernel: str = "eager"


@torch.compiler.disable  # type: ignore[untyped-decorator]
def attend(
    qkv: Tensor,
    layout: Layout,
    heads: int,
    rate: float,
    generator: Generator | None,
    kernel: str = "eager",
) -> Tensor:
    """Scaled dot-product attention within each sequence.

    Args:
        qkv: `[R, 3 * H * D]`: queries, keys and values side by side.
        layout: the sequences' boundaries.
        heads: H.
        rate: dropout of the attention weights; applied only with a generator.
        generator: source of the dropout.
        kernel: a name of `KERNELS`.

    Returns:
        `[R, H * D]`.
    """
    return KERNELS[kernel](qkv, layout, heads, rate, generator)


def _eager(
    qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
) -> Tensor:
    result: Tensor = _Attention.apply(qkv, layout, heads, rate, generator)  # type: ignore[no-untyped-call]
    return result


def _sdpa(
    qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
) -> Tensor:
    contexts = []
    dropping = generator is not None and rate > 0
    with ExitStack() as stack:
        if generator is not None and dropping:
            stack.enter_context(_lent(generator))
        if qkv.device.type == "cuda":
            # cuDNN's kernel, which newer GPUs prefer, makes a plan for every new shape, and the
            # number of chunks is another one in nearly every batch.
            stack.enter_context(sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]))
        for group in layout.groups:
            q, k, v = _parts(qkv, group, 3, heads).permute(2, 0, 3, 1, 4)
            bias = group.bias(qkv.dtype)
            context = functional.scaled_dot_product_attention(
                q, k, v, attn_mask=bias, dropout_p=rate if dropping else 0.0
            )
            contexts.append(context.transpose(1, 2).reshape(group.owner.numel(), -1))
    return contexts[0] if len(contexts) == 1 else torch.cat(contexts)


def _varlen(
    qkv: Tensor, layout: Layout, heads: int, rate: float, generator: Generator | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # torch 2.10 or newer

    q, k, v = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    bounds, longest = layout.bounds, layout.longest
    context = varlen_attn(q, k, v, bounds, bounds, longest, longest)
    assert isinstance(context, Tensor)
    return context.reshape(len(qkv), -1)


KERNELS: dict[str, Callable[[Tensor, Layout, int, float, Generator | None], Tensor]] = {
    "eager": _eager,
    "sdpa": _sdpa,
    "varlen": _varlen,
}
"""Ways to compute attention, by name."""


@contextmanager
def _lent(generator: Generator) -> Iterator[None]:
    """Inside, torch's kernels draw from this generator; they know only the device's default one."""
    if generator.device.type == "cuda":
        default = torch.cuda.default_generators[generator.device.index or 0]
    else:
        default = torch.default_generator
    state = default.get_state()
    default.set_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(default.get_state())
        default.set_state(state)


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
            bias = group.bias(scores.dtype)
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


def _owners(chunks: list[list[int]], lengths: Sequence[int], length: int) -> Tensor:
    """`[C, L]`: the sequence in each slot, -1 in an empty one."""
    owners = torch.full((len(chunks), length), -1)
    for row, members in zip(owners, chunks, strict=True):
        end = 0
        for sequence in members:
            start, end = end, end + lengths[sequence]
            row[start:end] = sequence
    return owners


def _bucket(slots: int) -> int:
    """The next of 64, 128, …, 1024, then of eight equal steps up to each power of two.

    Above 1024 a batch grows by an eighth at most, and by half of that on average.
    """
    step = max(_CHUNK, 1 << max(0, (slots - 1).bit_length() - 4))
    return -(-slots // step) * step


def _scale(q: Tensor) -> float:
    return 1 / math.sqrt(q.shape[-1])


def _parts(packed: Tensor, group: _Group, parts: int, heads: int) -> Tensor:
    """The group's slots of `[R, parts * H * D]` as a view `[C, L, parts, H, D]`."""
    return packed[group.slots].view(group.count, group.length, parts, heads, -1)


def _split_heads(packed: Tensor, group: _Group, parts: int, heads: int) -> tuple[Tensor, ...]:
    """The group's slots of `[R, parts * H * D]` → `parts` tensors `[C, H, L, D]`, contiguous."""
    return _parts(packed, group, parts, heads).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
