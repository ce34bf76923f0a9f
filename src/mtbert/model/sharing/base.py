"""The trunk of a multitask network, and which of its parameters are shared or a task's own.

A scheme says how a task's sequences are encoded, which parameters all tasks share and which are
one task's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import Parameter

from mtbert.batch import TokenBatch
from mtbert.model.attention import Layout
from mtbert.model.encoders.base import Encoder

__all__ = ["Encoded", "OwnPart", "Partition", "Trunk"]


@dataclass(frozen=True, slots=True)
class Partition:
    """The parameters of a network, by their names in checkpoints; each is listed once.

    Attributes:
        shared: by all tasks: where their gradients meet, and where aggregation acts.
        own: of the trunk, by task: what only this task's loss reaches below its head.
        heads: by task.
    """

    shared: dict[str, Parameter]
    own: dict[str, dict[str, Parameter]] = field(default_factory=dict)
    heads: dict[str, dict[str, Parameter]] = field(default_factory=dict)

    def of(self, task: str) -> dict[str, Parameter]:
        """What only this task's loss reaches, its head included."""
        return self.own.get(task, {}) | self.heads.get(task, {})

    @property
    def all_own(self) -> dict[str, Parameter]:
        """The tasks' own parts of the trunk, in the order of the tasks."""
        return _flat(self.own)

    @property
    def all_heads(self) -> dict[str, Parameter]:
        """The heads, in the order of the tasks."""
        return _flat(self.heads)

    @property
    def all(self) -> dict[str, Parameter]:
        """Every parameter: the shared ones, the tasks' own, the heads."""
        return self.shared | self.all_own | self.all_heads

    def counts(self) -> dict[str, int]:
        """How many numbers are shared, the tasks' own (of all tasks together), and the heads'."""
        parts = {"shared": self.shared, "own": self.all_own, "heads": self.all_heads}
        return {name: sum(p.numel() for p in found.values()) for name, found in parts.items()}


def _flat(parts: Mapping[str, Mapping[str, Parameter]]) -> dict[str, Parameter]:
    return {name: p for parameters in parts.values() for name, p in parameters.items()}


class Encoded(NamedTuple):
    """Hidden states of a packed batch.

    Attributes:
        states: `[R, W]`; of the first tokens alone `[S, W]`; of several layers `[R, layers, W]` or
            `[S, layers, W]`, the last layer last.
        layout: where each sequence lies among the R slots.
    """

    states: Tensor
    layout: Layout

    def at_starts(self) -> Tensor:
        """Of the states of all slots, those of each sequence's first token."""
        return self.states.index_select(0, self.layout.starts)


class OwnPart(nn.Module, ABC):
    """A module of a task's own that the pretrained encoder knows nothing of."""

    @abstractmethod
    def initialise(self, generator: Generator) -> None:
        """Draw its weights."""


class Trunk(nn.Module, ABC):
    """Encodes the sequences of any task."""

    @abstractmethod
    def encode(
        self,
        task: str,
        batch: TokenBatch,
        generator: Generator | None = None,
        *,
        first_only: bool = False,
        last_layers: int = 1,
    ) -> Encoded:
        """Hidden states of a task's batch.

        Args:
            task: its name.
            batch: its sequences.
            generator: source of the dropout; None: no dropout.
            first_only: only the first tokens' states are wanted.
            last_layers: the states of how many of the last layers are wanted.
        """

    @abstractmethod
    def pool(self, task: str, first: Tensor) -> Tensor:
        """A task's hidden states of first tokens `[S, W]` → pooled `[S, W]`."""

    @abstractmethod
    def partition(self) -> Partition:
        """Every parameter of the trunk, by who owns it."""

    def penalty(self) -> Tensor | None:
        """A term of the loss that ties the tasks' own parts together, or None: there is none here.

        A scalar, in no task's loss: its gradient is added once a step. None also where nothing that
        is tied learns.
        """
        return None

    def initialise(self, generator: Generator) -> None:
        """Draw what does not come from the pretrained encoder, task after task."""
        for module in self.modules():
            if isinstance(module, OwnPart):
                module.initialise(generator)

    @abstractmethod
    def encoder_for(self, task: str | None) -> Encoder:
        """A plain encoder that computes what a task's sequences go through, as it is exported.

        None stands for what all tasks share.
        """

    @property
    def encoders(self) -> list[Encoder]:
        """Every encoder in the trunk; some may have modules in common."""
        return [module for module in self.modules() if isinstance(module, Encoder)]

    def compute_in(self, dtype: torch.dtype) -> None:
        """Set the precision of the forward pass, of every encoder in the trunk."""
        for encoder in self.encoders:
            encoder.compute_dtype = dtype
