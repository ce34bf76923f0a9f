"""Heads: encoded sequences → outputs, one head a task."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.model.attention import Layout
from mtbert.model.dropout import dropout
from mtbert.model.encoders.bert import Encoder

__all__ = ["Head", "pool_sequences", "side_vectors"]


class Head(nn.Module):
    """Pooled sequences of one task → its outputs: features, dropout, linear.

    The linear layer of a cosine head is a scale and an offset; it starts at the task's range.
    """

    def __init__(self, hidden_size: int, task: TaskSettings) -> None:
        super().__init__()
        self.pooling = task.head
        self.sides = task.sequences_per_example
        self.features = task.features if self.sides == 2 else None
        self.rate = 0.0 if self.features == "cosine" else task.dropout
        self.bounds = task.range if task.loss_name == "binary_cross_entropy" else None
        widths = {None: hidden_size, "cosine": 1, "uv": 2 * hidden_size}
        self.linear = nn.Linear(widths.get(self.features, 4 * hidden_size), task.outputs)
        self.cosine_start = _cosine_start(task)

    @torch.no_grad()
    def initialise(self, generator: Generator, std: float = 0.02) -> None:
        """Fresh weights: normal with zero bias; a cosine head as its task's range."""
        self.linear.weight.normal_(0, std, generator=generator)
        self.linear.bias.zero_()
        if self.features == "cosine":
            scale, offset = self.cosine_start
            self.linear.weight.fill_(scale)
            self.linear.bias.fill_(offset)

    def forward(self, vectors: Tensor, generator: Generator | None = None) -> Tensor:
        """Outputs of the task, float32.

        Args:
            vectors: `[examples, sides, W]`, the pooled sequences of each example.
            generator: source of the dropout; None: no dropout.

        Returns:
            `[examples, outputs]`: logits, or the raw value of a regression.
        """
        vectors = vectors.to(self.linear.weight.dtype)
        u = vectors[:, 0]
        if self.features is None:
            features = u
        else:
            v = vectors[:, 1]
            if self.features == "cosine":
                features = torch.cosine_similarity(u, v, dim=1).unsqueeze(1)
            elif self.features == "uv":
                features = torch.cat((u, v), dim=1)
            else:
                features = torch.cat((u, v, (u - v).abs(), u * v), dim=1)
        outputs: Tensor = self.linear(dropout(features, self.rate, generator))
        return outputs


def pool_sequences(
    encoder: Encoder, batch: TokenBatch, pooling: str, generator: Generator | None = None
) -> Tensor:
    """One vector for each sequence of a packed batch, `[S, W]`.

    `cls`: the first token's hidden state; `pooled`: the pooler's output for it; `mean`: the mean
    over the sequence's tokens, added up in float32 or better.
    """
    layout = Layout(batch.lengths, batch.token_ids.device, bucketed=encoder.bucketed)
    hidden = encoder.encode(
        batch.token_ids, batch.segment_ids, layout, generator, first_only=pooling != "mean"
    )
    if pooling == "mean":
        return _mean(hidden, layout)
    return encoder.pool(hidden) if pooling == "pooled" else hidden


def _mean(hidden: Tensor, layout: Layout) -> Tensor:
    """Means over the sequences' tokens, `[R, W]` → `[S, W]`."""
    tokens = hidden.index_select(0, layout.slots)
    wide = tokens.to(torch.promote_types(hidden.dtype, torch.float32))
    sums = wide.new_zeros(len(layout.lengths), hidden.shape[1])
    sums = sums.index_add(0, layout.sequence_of, wide)
    return sums / layout.sizes.to(wide.dtype).unsqueeze(1)


def side_vectors(pooled: Tensor, sides: int) -> Tensor:
    """`[sides * examples, W]`, all first sides first → `[examples, sides, W]`."""
    return pooled.view(sides, -1, pooled.shape[1]).transpose(0, 1)


def _cosine_start(task: TaskSettings) -> tuple[float, float]:
    """Scale and offset that take a cosine from 0 to 1 across the task's outputs."""
    if task.loss_name == "binary_cross_entropy":
        return 10.0, -5.0
    low, high = task.range or (0.0, 1.0)
    return high - low, low
