"""Task heads: pooled sequences → outputs."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mtbert.config.targets import LOSSES
from mtbert.config.tasks import TaskSettings
from mtbert.model.attention_pooling import AttentionPooling
from mtbert.model.dropout import dropout
from mtbert.model.layer_mix import LayerMix
from mtbert.model.pooling import View
from mtbert.model.thresholds import OrderedThresholds
from mtbert.objectives.table import objective_of
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["Head"]


class Head(nn.Module):
    """Pooled sequences of one task → its outputs: features, dropout, linear.

    With a hidden layer: features, dropout, linear, activation, dropout, linear, as in the
    classification heads of RoBERTa (Liu et al. 2019), whose activation is tanh. The linear layer of
    a cosine head is a factor and an offset; it starts where the task's objective says.

    Attributes:
        view: what is read of the hidden states.
        scale: of the target. Outputs are on it, and so must be the labels of the loss; what reads
            answers restores the labels' unit (`inference.predict.compute_outputs`). A fresh head
            with a scale thus predicts about the mean of the training labels.
    """

    def __init__(self, hidden_size: int, task: TaskSettings) -> None:
        super().__init__()
        self.sides = task.sequences_per_example
        self._hidden_size = hidden_size
        layers, attends = task.layers_read, task.head == "attention"
        self.attention = AttentionPooling(hidden_size, layers) if attends else None
        self.mix = LayerMix(layers) if layers > 1 and not attends else None
        self.view = View(task.head, layers, self.attention)
        self.features = task.features if self.sides == 2 else None
        self.rate = 0.0 if self.features == "cosine" else task.dropout
        self.scale = RAW
        self._task, objective = task, objective_of(task)
        widths = {None: hidden_size, "cosine": 1, "uv": 2 * hidden_size}
        width = widths.get(self.features, 4 * hidden_size)
        units = task.hidden_size
        self.hidden = None if units is None else nn.Linear(width, units)
        self.activation = functional.gelu if task.hidden_activation == "gelu" else torch.tanh
        layer = OrderedThresholds if LOSSES[task.loss_name].in_order else nn.Linear
        self.linear = layer(units or width, objective.outputs(task))

    @property
    def vector_shape(self) -> tuple[int, ...]:
        """Shape of what is read of one example, see `forward`."""
        layers = () if self.mix is None else (self.view.layers,)
        return (self.sides, *layers, self._hidden_size)

    @torch.no_grad()
    def initialise(self, generator: Generator, std: float = 0.02) -> None:
        """Fresh weights: normal with zero bias; of a cosine head, its factor and offset.

        Attention and the mix of layers begin as plain means.
        """
        for part in (self.linear, self.hidden):
            if part is not None:
                part.weight.normal_(0, std, generator=generator)
                part.bias.zero_()
        for mean in (self.attention, self.mix):
            if mean is not None:
                mean.start()
        if isinstance(self.linear, OrderedThresholds):
            self.linear.start()
        self._start_cosine()

    def set_scale(self, scale: TargetScale) -> None:
        """Give a fresh head the scale of its target."""
        self.scale = scale
        self._start_cosine()

    @torch.no_grad()
    def _start_cosine(self) -> None:
        if self.features == "cosine":
            factor, offset = objective_of(self._task).cosine_start(self._task, self.scale)
            self.linear.weight.fill_(factor)
            self.linear.bias.fill_(offset)

    def forward(self, vectors: Tensor, generator: Generator | None = None) -> Tensor:
        """Outputs of the task, float32.

        Args:
            vectors: `[examples, sides, W]`, the pooled sequences of each example; of several
                layers that are mixed here `[examples, sides, layers, W]`.
            generator: source of the dropout; None: no dropout.

        Returns:
            `[examples, outputs]`: logits, or the value of a regression on the target's scale.
        """
        vectors = vectors.to(self.linear.weight.dtype)
        if self.mix is not None:
            vectors = self.mix(vectors)
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
        if self.hidden is not None:
            features = self.activation(self.hidden(dropout(features, self.rate, generator)))
        outputs: Tensor = self.linear(dropout(features, self.rate, generator))
        return outputs
