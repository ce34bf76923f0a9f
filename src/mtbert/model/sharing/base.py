"""The trunk of a multitask network, and which of its parameters are shared or a task's own.

A scheme says how a task's sequences are encoded, which parameters all tasks share and which are
one task's own. A term of the loss that ties the tasks' parameters together (soft sharing) would be
one more method of `Trunk`, added to the loss by the training step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import Generator, Tensor, nn
from torch.nn import Parameter

from mtbert.batch import TokenBatch
from mtbert.model.attention import Layout
from mtbert.model.encoders.base import Encoder

__all__ = ["Encoded", "Partition", "Trunk"]


@dataclass(frozen=True, slots=True)
class Partition:
    """The parameters of a network, by their names in checkpoints; each of them stands once.

    Attributes:
        shared: by all tasks: where their gradients meet, and where aggregation acts.
        own: by task: what only this task's loss reaches.
    """

    shared: dict[str, Parameter]
    own: dict[str, dict[str, Parameter]]

    @property
    def all_own(self) -> dict[str, Parameter]:
        """What is any one task's, in the order of the tasks."""
        return {name: p for parameters in self.own.values() for name, p in parameters.items()}

    @property
    def all(self) -> dict[str, Parameter]:
        """Every parameter: the shared ones, then the tasks' own."""
        return self.shared | self.all_own


class Encoded(NamedTuple):
    """Hidden states of a packed batch.

    Attributes:
        states: `[R, W]`; of the first tokens alone `[S, W]`.
        layout: where each sequence lies among the R slots.
    """

    states: Tensor
    layout: Layout


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
    ) -> Encoded:
        """Hidden states of a task's batch.

        Args:
            task: its name.
            batch: its sequences.
            generator: source of the dropout; None: no dropout.
            first_only: only the first tokens' states are wanted.
        """

    @abstractmethod
    def pool(self, task: str, first: Tensor) -> Tensor:
        """A task's hidden states of first tokens `[S, W]` → pooled `[S, W]`."""

    @abstractmethod
    def partition(self) -> Partition:
        """Every parameter of the trunk, by who owns it."""

    @abstractmethod
    def encoder_for(self, task: str | None) -> Encoder:
        """A plain encoder that computes what a task's sequences go through, as it is exported.

        None stands for what all tasks share.
        """
