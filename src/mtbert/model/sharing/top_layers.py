"""The last layers of the encoder, and its pooler, are each task's own."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import nn

from mtbert.config.sharing import TopLayers
from mtbert.errors import UserError
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.task_encoders import LinkedEncoders, linked

__all__ = ["TopLayersTrunk"]


class TopLayersTrunk(LinkedEncoders):
    """Embeddings and lower layers are shared; each task's copies of the others begin alike.

    The pretrained layers that they are copies of are kept as they are: a new task begins there too.
    """

    def __init__(self, options: TopLayers, encoder: Encoder, tasks: Sequence[str]) -> None:
        """Copy the last layers and the pooler for each task.

        Raises:
            UserError: the encoder has fewer layers.
        """
        depth = len(encoder.layers)
        if options.layers > depth:
            raise UserError(
                f"encoder.sharing: found {options}, but the encoder has {depth} layers; expected "
                f"`layers` from 1 to {depth}"
            )
        shared = list(encoder.layers)[: depth - options.layers]

        def make(encoder: Encoder) -> Encoder:
            own = copy.deepcopy(list(encoder.layers)[len(shared) :])
            layers = nn.ModuleList([*shared, *own])
            return linked(encoder, layers=layers, **_copied_above(encoder))

        super().__init__(encoder, tasks, make)

    def encoder_for(self, task: str | None) -> Encoder:
        """The task's encoder; of what all share, the encoder with its pretrained last layers."""
        return self.encoder if task is None else self.by_task[task]


def _copied_above(encoder: Encoder) -> dict[str, nn.Module]:
    """Copies of what an encoder has above its layers, by the names of its parts."""
    above = {id(part) for part in encoder.above_layers}
    return {n: copy.deepcopy(part) for n, part in encoder.named_children() if id(part) in above}
