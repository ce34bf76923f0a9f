"""Hard parameter sharing (Caruana 1993): one encoder for all tasks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor

from mtbert.batch import TokenBatch
from mtbert.config.sharing import Hard
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Encoded, Partition, Trunk

__all__ = ["HardTrunk"]


class HardTrunk(Trunk):
    """Every task goes through the same encoder; no task has a part of its own below its head."""

    def __init__(self, options: Hard, encoder: Encoder, tasks: Sequence[str]) -> None:
        """Wrap a pretrained encoder; neither options nor tasks make a difference."""
        super().__init__()
        self.encoder = encoder

    def encode(
        self,
        task: str,
        batch: TokenBatch,
        generator: Generator | None = None,
        *,
        first_only: bool = False,
        last_layers: int = 1,
    ) -> Encoded:
        """Hidden states of a batch, whichever task's it is."""
        layout = self.encoder.layout(batch)
        states = self.encoder.encode(
            batch.token_ids,
            batch.segment_ids,
            layout,
            generator,
            first_only=first_only,
            last_layers=last_layers,
        )
        return Encoded(states, layout)

    def pool(self, task: str, first: Tensor) -> Tensor:
        """Hidden states of first tokens `[S, W]` → pooled `[S, W]`, by the encoder's pooler."""
        return self.encoder.pool(first)

    def partition(self) -> Partition:
        """All of the encoder is shared."""
        return Partition({f"encoder.{n}": p for n, p in self.encoder.named_parameters()})

    def encoder_for(self, task: str | None) -> Encoder:
        """The encoder, for each task and for all."""
        return self.encoder
