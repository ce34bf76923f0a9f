"""Task heads: pooled sequences → outputs."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from mtbert.config.tasks import LOSSES, TaskSettings
from mtbert.model.dropout import dropout
from mtbert.model.thresholds import OrderedThresholds
from mtbert.objectives.table import objective_of

__all__ = ["Head"]


class Head(nn.Module):
    """Pooled sequences of one task → its outputs: features, dropout, linear.

    The linear layer of a cosine head is a scale and an offset; it starts where the task's objective
    says.
    """

    def __init__(self, hidden_size: int, task: TaskSettings) -> None:
        super().__init__()
        self.pooling = task.head
        self.sides = task.sequences_per_example
        self.features = task.features if self.sides == 2 else None
        self.rate = 0.0 if self.features == "cosine" else task.dropout
        objective = objective_of(task)
        widths = {None: hidden_size, "cosine": 1, "uv": 2 * hidden_size}
        layer = OrderedThresholds if LOSSES[task.loss_name].in_order else nn.Linear
        self.linear = layer(widths.get(self.features, 4 * hidden_size), objective.outputs(task))
        self.cosine_start = objective.cosine_start(task) if self.features == "cosine" else None

    @torch.no_grad()
    def initialise(self, generator: Generator, std: float = 0.02) -> None:
        """Fresh weights: normal with zero bias; of a cosine head, its scale and offset."""
        self.linear.weight.normal_(0, std, generator=generator)
        self.linear.bias.zero_()
        if isinstance(self.linear, OrderedThresholds):
            self.linear.start()
        if self.cosine_start is not None:
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
