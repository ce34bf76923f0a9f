"""The multitask network: a trunk, and a head for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import Parameter

from mtbert.batch import TokenBatch
from mtbert.config.sharing import DEFAULT_SHARING, Sharing
from mtbert.config.tasks import TaskSettings
from mtbert.model.by_task import ByTask
from mtbert.model.encoders.base import Encoder
from mtbert.model.heads import Head
from mtbert.model.pooling import mean_of_windows, pool, side_vectors
from mtbert.model.sharing.base import Partition
from mtbert.model.sharing.table import make_trunk

__all__ = ["MultitaskNetwork"]


class MultitaskNetwork(nn.Module):
    """A trunk that encodes the sequences of all tasks, and a head for each task.

    A task that only evaluates (`uses`) has no head of its own.

    Attributes:
        trunk: what lies below the heads.
        sharing: the scheme of the trunk.
        heads: by task.
        tasks: their settings.
        hidden_size: W, of the vectors that heads read.
    """

    def __init__(
        self,
        encoder: Encoder,
        tasks: Mapping[str, TaskSettings],
        sharing: Sharing = DEFAULT_SHARING,
    ) -> None:
        super().__init__()
        self.sharing = sharing
        trained = [name for name, task in tasks.items() if task.uses is None]
        self.trunk = make_trunk(sharing, encoder, trained)
        self.tasks = dict(tasks)
        self.hidden_size = encoder.config.hidden_size
        self.heads = ByTask(
            {name: Head(self.hidden_size, t) for name, t in tasks.items() if t.uses is None}
        )

    @property
    def encoder(self) -> Encoder:
        """What all tasks share, as a plain encoder."""
        return self.trunk.encoder_for(None)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.heads.parameters()).device

    @property
    def running_targets(self) -> tuple[str, ...]:
        """Tasks with a head whose target's scale follows the labels that are trained on."""
        return tuple(task for task in self.heads if self.tasks[task].target == "popart")

    @property
    def partition(self) -> Partition:
        """Every parameter of the trunk and the heads; a head is its task's own."""
        trunk = self.trunk.partition()
        return Partition(trunk.shared, trunk.own, self._own_heads())

    def learning(self, *, shared: bool, own: bool) -> Partition:
        """What is trained: the heads, and of the trunk what is asked for.

        Args:
            shared: with what all tasks share.
            own: with the tasks' own parts.
        """
        every = self.partition
        return Partition(every.shared if shared else {}, every.own if own else {}, every.heads)

    @property
    def times_encoder(self) -> float:
        """Parameters below the heads, beside those of the encoder alone: 1 where all are shared."""
        counts = self.partition.counts()
        encoder = sum(p.numel() for p in self.encoder.parameters())
        return (counts["shared"] + counts["own"]) / encoder

    def head(self, task: str) -> Head:
        """The head that answers for a task."""
        return self.heads[self._owner(task)]

    def represent(self, task: str, batch: TokenBatch, generator: Generator | None = None) -> Tensor:
        """Pooled texts as the task's head reads them, `[examples, sides, W]`.

        Of several layers that the head mixes `[examples, sides, layers, W]`.
        """
        return self._represent([task], batch, generator)[task]

    def represent_all(self, tasks: Sequence[str], batch: TokenBatch) -> dict[str, Tensor]:
        """The same for several tasks that encode their texts alike, from one pass of the encoder.

        Args:
            tasks: at least one; none with a part of the trunk of its own, unless it is alone.
            batch: the sequences, as each of the tasks encodes them.
        """
        return self._represent(tasks, batch, None)

    def _represent(
        self, tasks: Sequence[str], batch: TokenBatch, generator: Generator | None
    ) -> dict[str, Tensor]:
        heads = {task: self.head(task) for task in tasks}
        views = [head.view for head in heads.values()]
        found = pool(self.trunk, self._owner(tasks[0]), batch, views, generator)
        if batch.windows is not None:
            found = {
                view: mean_of_windows(vectors, batch.lengths, batch.windows)
                for view, vectors in found.items()
            }
        return {t: side_vectors(found[head.view], head.sides) for t, head in heads.items()}

    def forward(
        self,
        task: str,
        inputs: TokenBatch | Tensor,
        generator: Generator | None = None,
        *,
        trunk_dropout: bool = True,
    ) -> Tensor:
        """Outputs of one task, `[examples, outputs]`, float32.

        Args:
            task: name of the task.
            inputs: a packed batch, or what `represent` made of it before.
            generator: source of the dropout; None: no dropout.
            trunk_dropout: whether it falls on the trunk too, or on the head alone.
        """
        if isinstance(inputs, TokenBatch):
            inputs = self.represent(task, inputs, generator if trunk_dropout else None)
        return self.head(task)(inputs, generator)

    def _own_heads(self) -> dict[str, dict[str, Parameter]]:
        return {
            task: {f"heads.{task}.{name}": p for name, p in head.named_parameters()}
            for task, head in self.heads.items()
        }

    def _owner(self, task: str) -> str:
        """The task whose head, and whose part of the trunk, answers for a task."""
        return self.tasks[task].uses or task
