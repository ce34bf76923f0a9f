"""One encoder and a head for each task: hard parameter sharing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Generator, Tensor, nn
from torch.nn import Parameter

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.model.encoders.bert import Encoder
from mtbert.model.heads import Head, pool_sequences, side_vectors

__all__ = ["MultitaskNetwork"]


class Heads(nn.Module):
    """Heads by task name.

    `nn.ModuleDict` refuses names that it has as attributes, such as `type` or `train`; a task may
    have any name.
    """

    def __init__(self, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self._modules.update(heads)

    def __getitem__(self, task: str) -> Head:
        head = self._modules[task]
        assert isinstance(head, Head)
        return head

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def values(self) -> list[Head]:
        """The heads, in the order of their tasks."""
        return [self[task] for task in self]

    def items(self) -> list[tuple[str, Head]]:
        """Task names and heads."""
        return [(task, self[task]) for task in self]


class MultitaskNetwork(nn.Module):
    """The encoder, shared by all tasks, and their heads.

    A task that only evaluates (`uses`) has no head of its own.
    """

    def __init__(self, encoder: Encoder, tasks: Mapping[str, TaskSettings]) -> None:
        super().__init__()
        self.encoder = encoder
        self.tasks = dict(tasks)
        self.heads = Heads(
            {
                name: Head(encoder.config.hidden_size, task)
                for name, task in tasks.items()
                if task.uses is None
            }
        )

    def head(self, task: str) -> Head:
        """The head that answers for a task."""
        return self.heads[self.tasks[task].uses or task]

    def represent(self, task: str, batch: TokenBatch, generator: Generator | None = None) -> Tensor:
        """Pooled sequences as the task's head reads them, `[examples, sides, W]`."""
        head = self.head(task)
        pooled = pool_sequences(self.encoder, batch, head.pooling, generator)
        return side_vectors(pooled, head.sides)

    def forward(
        self, task: str, inputs: TokenBatch | Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Outputs of one task, `[examples, outputs]`, float32.

        Args:
            task: name of the task.
            inputs: a packed batch, or its pooled sequences `[examples, sides, W]` computed before.
            generator: source of the dropout; None: no dropout.
        """
        if isinstance(inputs, TokenBatch):
            inputs = self.represent(task, inputs, generator)
        return self.head(task)(inputs, generator)

    def shared_parameters(self) -> dict[str, Parameter]:
        """What all tasks share, by name."""
        return {f"encoder.{n}": p for n, p in self.encoder.named_parameters()}

    def head_parameters(self) -> dict[str, Parameter]:
        """What each task has for itself, by name."""
        return {f"heads.{n}": p for n, p in self.heads.named_parameters()}
