"""BERT from top to bottom (Devlin et al. 2019), in reading order.

Shapes: T tokens of a batch whose sequences lie one after another, R the slots they lie in (T and
a few empty ones, see `Layout`), W the hidden width. Everything is a function of `[R, W]`; only
attention sees where a sequence ends. The numbers are those of the first tensor: parameters are
kept in float32 and follow `compute_dtype`.

Dropout is on when a generator is given, and only then: there is no hidden training switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mtbert.model.attention import Layout, attend
from mtbert.model.dropout import add_dropout, dropout
from mtbert.model.encoders.config import ACTIVATIONS, EncoderConfig

__all__ = ["Encoder", "EncoderOutput"]


class EncoderOutput(NamedTuple):
    """What the padded call returns, by the names of transformers.

    Attributes:
        last_hidden_state: `[batch, length, hidden]`, zero at masked positions.
        pooler_output: `[batch, hidden]`.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor


class Linear(nn.Linear):
    """x W' + b in the numbers of x."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, in]` → `[…, out]`."""
        return functional.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class LayerNorm(nn.LayerNorm):
    """Layer normalisation in the numbers of x; its statistics are float32 or better."""

    def forward(self, x: Tensor) -> Tensor:
        """`[…, W]` → `[…, W]`."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return functional.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


class Embeddings(nn.Module):
    """Token + position + segment, normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.token = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.position = nn.Embedding(config.max_position_embeddings, width)
        self.segment = nn.Embedding(config.type_vocab_size, width)
        self.norm = LayerNorm(width, eps=config.layer_norm_eps)
        self.rate = config.hidden_dropout_prob

    def forward(
        self,
        token_ids: Tensor,
        position_ids: Tensor,
        segment_ids: Tensor,
        generator: Generator | None,
    ) -> Tensor:
        """Three times `[R]` → `[R, W]`."""
        x = self.token(token_ids) + self.position(position_ids) + self.segment(segment_ids)
        return dropout(self.norm(x), self.rate, generator)


class SelfAttention(nn.Module):
    """Multi-head self-attention, then add & norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.qkv = Linear(width, 3 * width)
        self.output = Linear(width, width)
        self.norm = LayerNorm(width, eps=config.layer_norm_eps)
        self.heads = config.num_attention_heads
        self.attention_rate = config.attention_probs_dropout_prob
        self.rate = config.hidden_dropout_prob
        self.kernel = "eager"

    def forward(
        self, x: Tensor, layout: Layout, generator: Generator | None, rows: Tensor | None = None
    ) -> Tensor:
        """`[R, W]` → `[R, W]`, or only its `rows`."""
        context = attend(
            self.qkv(x), layout, self.heads, self.attention_rate, generator, self.kernel
        )
        if rows is not None:
            context, x = context.index_select(0, rows), x.index_select(0, rows)
        return self.norm(add_dropout(x, self.output(context), self.rate, generator))


class FeedForward(nn.Module):
    """Two linear layers with an activation between, then add & norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.inner = Linear(config.hidden_size, config.intermediate_size)
        self.outer = Linear(config.intermediate_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.rate = config.hidden_dropout_prob

    def forward(self, x: Tensor, generator: Generator | None) -> Tensor:
        """`[…, W]` → `[…, W]`."""
        inner = self.activation(self.inner(x))
        return self.norm(add_dropout(x, self.outer(inner), self.rate, generator))


class Layer(nn.Module):
    """One Transformer layer."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, layout: Layout, generator: Generator | None, rows: Tensor | None = None
    ) -> Tensor:
        """`[R, W]` → `[R, W]`, or only its `rows`."""
        return self.feed_forward(self.attention(x, layout, generator, rows), generator)


class Encoder(nn.Module):
    """Embeddings, the layers, and the pooler over each sequence's first token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        """Numbers of the forward pass; None: those of the weights."""
        self.bucketed = False
        """Whether batches are padded to few sizes, see `Layout`."""
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.pooler = Linear(config.hidden_size, config.hidden_size)

    @classmethod
    def from_pretrained(cls, source: str, *, revision: str | None = None) -> Encoder:
        """Pretrained weights from a folder, a Hub id or `packaged`.

        Raises:
            UserError: not found, not a BERT, or its weights do not fit; the message says which.
        """
        from mtbert.model.encoders.weights import load_encoder

        return load_encoder(source, revision)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a Hugging Face folder: `config.json` and `model.safetensors`."""
        from mtbert.model.encoders.weights import save_encoder

        save_encoder(self, Path(folder))

    def use_attention(self, kernel: str) -> None:
        """Let every layer compute attention by a kernel of `attention.KERNELS`."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            layer.attention.kernel = kernel

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Fresh weights as BERT's authors draw them: normal, zero biases, unit norms."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.normal_(0, self.config.initializer_range, generator=generator)
            if isinstance(module, nn.Linear):
                module.bias.zero_()

    def encode(
        self,
        token_ids: Tensor,
        segment_ids: Tensor,
        layout: Layout,
        generator: Generator | None = None,
        position_ids: Tensor | None = None,
        first_only: bool = False,
    ) -> Tensor:
        """Hidden states of a packed batch.

        Args:
            token_ids: `[T]`.
            segment_ids: `[T]`.
            layout: where each sequence begins and ends.
            generator: source of the dropout; None: no dropout.
            position_ids: `[T]`; default: counted from 0 in each sequence.
            first_only: only the first tokens' states are wanted. The last layer then computes
                little more than the keys and values of the others.

        Returns:
            `[R, W]` in `compute_dtype`, of which `layout` says which slots hold tokens (the others
            hold nothing of meaning); with `first_only` `[S, W]`.
        """
        if position_ids is None:
            position_ids = layout.position_of
        placed = (layout.place(ids) for ids in (token_ids, position_ids, segment_ids))
        x = self.embeddings(*placed, generator)
        if self.compute_dtype is not None:
            x = x.to(self.compute_dtype)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            rows = layout.starts if first_only and number == last else None
            x = layer(x, layout, generator, rows)
        return x

    def pool(self, first: Tensor) -> Tensor:
        """Hidden states of first tokens `[S, W]` → pooled `[S, W]`: tanh of a linear layer."""
        return torch.tanh(self.pooler(first))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> EncoderOutput:
        """The padded call of transformers, as a thin layer over the packed one.

        Position ids are column indices. The pooler reads each row's first real token
        (transformers reads column 0 even where it is masked). Dropout is on in training mode,
        seeded from torch's default generator.

        Args:
            input_ids: `[batch, length]`.
            attention_mask: `[batch, length]`, non-zero at real tokens; default: all are real.
            token_type_ids: `[batch, length]`; default: 0.

        Raises:
            ValueError: a row without a real token, or longer than the position table.
        """
        batch, length = input_ids.shape
        if length > self.config.max_position_embeddings:
            raise ValueError(
                f"{length} positions, but the model has {self.config.max_position_embeddings}"
            )
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        real = mask.bool().flatten().nonzero().squeeze(1)
        lengths: Sequence[int] = mask.bool().sum(1).tolist()
        if min(lengths) < 1:
            raise ValueError(f"row {list(lengths).index(0)} is masked from end to end")
        segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        layout = Layout(lengths, input_ids.device)
        generator = None
        if self.training:
            generator = Generator(input_ids.device)
            generator.manual_seed(int(torch.randint(2**62, ()).item()))
        hidden = self.encode(
            input_ids.flatten()[real],
            segments.flatten()[real],
            layout,
            generator,
            position_ids=real % length,
        )
        tokens = hidden.index_select(0, layout.slots)
        padded = hidden.new_zeros(batch * length, hidden.shape[1]).index_copy(0, real, tokens)
        return EncoderOutput(
            padded.view(batch, length, -1), self.pool(hidden.index_select(0, layout.starts))
        )
