"""BERT from top to bottom (Devlin et al. 2019), in reading order.

Shapes: T tokens of a batch whose sequences lie one after another, R the slots they lie in (T and
a few empty ones, see `Layout`), W the hidden width. Everything is a function of `[R, W]`; only
attention sees where a sequence ends. Parameters are kept in float32 and used in the dtype of the
hidden states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from mtbert.model.attention import Attention, Layout, attend
from mtbert.model.dropout import add_dropout, dropout
from mtbert.model.encoders.base import Encoder, LinearMap
from mtbert.model.encoders.config import ACTIVATIONS, EncoderConfig
from mtbert.model.encoders.weights import NameTable
from mtbert.model.layers import LayerNorm, Linear

__all__ = ["BertEncoder"]


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


class SelfAttention(Attention):
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

    def forward(
        self, x: Tensor, generator: Generator | None, addend: Tensor | None = None
    ) -> Tensor:
        """`[…, W]` → `[…, W]`; an addend of the same shape is added before the norm."""
        inner = self.activation(self.inner(x))
        if addend is not None:
            x = x + addend
        return self.norm(add_dropout(x, self.outer(inner), self.rate, generator))


class Layer(nn.Module):
    """One Transformer layer."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.feed_forward = FeedForward(config)

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        generator: Generator | None,
        rows: Tensor | None = None,
        addend: Tensor | None = None,
    ) -> Tensor:
        """`[R, W]` → `[R, W]`, or only its `rows`; see `FeedForward` for the addend."""
        return self.feed_forward(self.attention(x, layout, generator, rows), generator, addend)


class BertEncoder(Encoder):
    """Embeddings, the layers, and the pooler over each sequence's first token."""

    architecture = "BertModel"
    linear_maps: ClassVar[Mapping[str, LinearMap]] = {
        "query": LinearMap("attention.qkv", 0, 3),
        "key": LinearMap("attention.qkv", 1, 3),
        "value": LinearMap("attention.qkv", 2, 3),
        "output": LinearMap("attention.output"),
        "inner": LinearMap("feed_forward.inner"),
        "outer": LinearMap("feed_forward.outer"),
    }
    names = NameTable(
        rules=(
            ("embeddings.token", ("embeddings.word_embeddings",)),
            ("embeddings.position", ("embeddings.position_embeddings",)),
            ("embeddings.segment", ("embeddings.token_type_embeddings",)),
            ("embeddings.norm", ("embeddings.LayerNorm",)),
            (
                "layers.{}.attention.qkv",
                tuple(f"encoder.layer.{{}}.attention.self.{n}" for n in ("query", "key", "value")),
            ),
            ("layers.{}.attention.output", ("encoder.layer.{}.attention.output.dense",)),
            ("layers.{}.attention.norm", ("encoder.layer.{}.attention.output.LayerNorm",)),
            ("layers.{}.feed_forward.inner", ("encoder.layer.{}.intermediate.dense",)),
            ("layers.{}.feed_forward.outer", ("encoder.layer.{}.output.dense",)),
            ("layers.{}.feed_forward.norm", ("encoder.layer.{}.output.LayerNorm",)),
            ("pooler", ("pooler.dense",)),
        ),
        prefix="bert.",
        anchor="embeddings.position_embeddings.weight",
        parts=("embeddings.", "encoder.", "pooler."),
        # The heads of transformers' BertFor… classes, and ours.
        ignored=re.compile(
            r"(embeddings\.(position_ids|token_type_ids)|(cls|classifier|qa_outputs|heads)\..*)"
        ),
        optional="pooler.",
        tied={"embeddings.word_embeddings.weight": "cls.predictions.decoder.weight"},
        others=frozenset(
            {
                "roberta",
                "xlm_roberta",
                "camembert",
                "electra",
                "ernie",
                "layoutlm",
                "megatron_bert",
                "mpnet",
                "nezha",
                "roc_bert",
                "splinter",
                "data2vec_text",
                "esm",
                "xmod",
            }
        ),
    )

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.pooler = Linear(config.hidden_size, config.hidden_size)

    @property
    def token_table(self) -> nn.Embedding:
        """The vectors of the vocabulary, `[tokens, W]`."""
        return self.embeddings.token

    def embed(
        self,
        token_ids: Tensor,
        position_ids: Tensor,
        segment_ids: Tensor,
        generator: Generator | None,
    ) -> Tensor:
        """Three times `[R]` → `[R, W]`."""
        return self.embeddings(token_ids, position_ids, segment_ids, generator)

    def pool(self, first: Tensor) -> Tensor:
        """Hidden states of first tokens `[S, W]` → pooled `[S, W]`: tanh of a linear layer."""
        return torch.tanh(self.pooler(first))

    @property
    def above_layers(self) -> tuple[nn.Module, ...]:
        """The pooler."""
        return (self.pooler,)

    @torch.no_grad()
    def initialise(self, generator: Generator, part: nn.Module | None = None) -> None:
        """Fresh weights as BERT's authors draw them: normal, zero biases, unit norms."""
        for module in (part or self).modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.normal_(0, self.config.initializer_range, generator=generator)
            if isinstance(module, nn.Linear):
                module.bias.zero_()
            if isinstance(module, nn.LayerNorm):
                module.weight.fill_(1)
                module.bias.zero_()
