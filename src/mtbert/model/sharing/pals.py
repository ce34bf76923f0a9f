"""Projected attention layers (PALs) beside each layer (Stickland and Murray 2019, section 3).

Shapes: R slots of a packed batch, W the encoder's width, P the width of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mtbert.config.sharing import PALs
from mtbert.errors import UserError
from mtbert.model.attention import Attention, Layout, attend
from mtbert.model.encoders.base import Encoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.layers import Linear
from mtbert.model.sharing.base import OwnPart
from mtbert.model.sharing.task_encoders import LinkedEncoders, linked

__all__ = ["PALsTrunk"]


class _Projection(Linear, OwnPart):
    """A linear layer that begins as BERT's do."""

    def __init__(self, inputs: int, outputs: int, deviation: float) -> None:
        super().__init__(inputs, outputs)
        self.deviation = deviation

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """A normal weight and no bias."""
        self.weight.normal_(0, self.deviation, generator=generator)
        self.bias.zero_()


class _ProjectedAttention(Attention):
    """gelu(D(attention(E(x)))): multi-head attention of width P, with no projection of its own.

    The encoder-side projection E and the decoder-side projection D (V^E and V^D of the paper) are
    a task's, the same at every layer; queries, keys and values are the layer's.
    """

    def __init__(
        self, config: EncoderConfig, down: _Projection, up: _Projection, heads: int
    ) -> None:
        super().__init__()
        self.down, self.up, self.heads = down, up, heads
        width = down.out_features
        self.qkv = _Projection(width, 3 * width, config.initializer_range)
        self.attention_rate = config.attention_probs_dropout_prob

    def forward(
        self, x: Tensor, layout: Layout, generator: Generator | None, rows: Tensor | None
    ) -> Tensor:
        """`[R, W]` → `[R, W]`, or only its `rows`."""
        qkv = self.qkv(self.down(x))
        context = attend(qkv, layout, self.heads, self.attention_rate, generator, self.kernel)
        if rows is not None:
            context = context.index_select(0, rows)
        return functional.gelu(self.up(context))


class _LayerWithPAL(nn.Module):
    """A shared layer, to which a task's attention is added before its last norm."""

    def __init__(self, layer: nn.Module, pal: _ProjectedAttention) -> None:
        super().__init__()
        self.layer, self.pal = layer, pal

    def forward(
        self, x: Tensor, layout: Layout, generator: Generator | None, rows: Tensor | None = None
    ) -> Tensor:
        """`[R, W]` → `[R, W]`, or only its `rows`."""
        addend = self.pal(x, layout, generator, rows)
        result: Tensor = self.layer(x, layout, generator, rows, addend)
        return result


class PALsTrunk(LinkedEncoders):
    """Every task goes through the shared layers, with attention of its own beside each."""

    def __init__(self, options: PALs, encoder: Encoder, tasks: Sequence[str]) -> None:
        """Give each task two projections, and attention beside every layer.

        Raises:
            UserError: the width cannot be divided among the heads.
        """
        width = options.width_in(encoder.config.hidden_size)
        if width % options.heads:
            raise UserError(
                f"encoder.sharing: found {options}; expected a `hidden_size` that `heads` divides"
            )
        super().__init__(encoder, tasks, lambda shared: _with_pals(shared, width, options.heads))

    def encoder_for(self, task: str | None) -> Encoder:
        """The shared encoder.

        Raises:
            UserError: a task's is asked for, which is no plain encoder.
        """
        if task is not None:
            raise UserError(
                f"task {task}: no plain encoder has its attention layers, so none can be exported; "
                "use the whole model, or train with encoder.sharing=lora"
            )
        return self.encoder


def _with_pals(encoder: Encoder, width: int, heads: int) -> Encoder:
    config = encoder.config
    down = _Projection(config.hidden_size, width, config.initializer_range)
    up = _Projection(width, config.hidden_size, config.initializer_range)
    pals = [_ProjectedAttention(config, down, up, heads) for _ in encoder.layers]
    layers = [_LayerWithPAL(layer, pal) for layer, pal in zip(encoder.layers, pals, strict=True)]
    projections = nn.ModuleDict({"down": down, "up": up})
    return linked(encoder, projections=projections, layers=nn.ModuleList(layers))
