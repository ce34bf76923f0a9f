"""What learns in a phase: parameters, their optimizer, and the moving average of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import Parameter

from mtbert.config.training import TrainingSettings
from mtbert.model.network import MultitaskNetwork
from mtbert.model.sharing.base import Partition
from mtbert.training.ema import WeightAverage
from mtbert.training.optimizer import AdamW, optimizer_moments, parameter_groups
from mtbert.training.phases.base import Phase

__all__ = ["Learner", "learning_part", "make_learner"]


@dataclass(frozen=True, slots=True)
class Learner:
    """The part of a run that its steps change.

    Attributes:
        parameters: that learn, by name.
        optimizer: of exactly these.
        average: of exactly these, or None.
    """

    parameters: dict[str, Parameter]
    optimizer: AdamW
    average: WeightAverage | None

    def tensors(self) -> list[Tensor]:
        """Parameters, moments and average, in the same order in every process."""
        moments, _ = optimizer_moments(self.optimizer)
        average = {} if self.average is None else self.average.weights
        return [*self.parameters.values(), *moments.values(), *average.values()]


def learning_part(network: MultitaskNetwork, trains_trunk: bool) -> Partition:
    """The parameters that learn: all of them, or the heads alone where the trunk is frozen."""
    partition = network.partition
    if trains_trunk:
        return partition
    trunk = {id(parameter) for parameter in network.trunk.parameters()}
    heads = {
        task: {name: p for name, p in own.items() if id(p) not in trunk}
        for task, own in partition.own.items()
    }
    return Partition({}, heads)


def make_learner(network: MultitaskNetwork, phase: Phase, settings: TrainingSettings) -> Learner:
    """Let a phase's parameters, and no others, require gradients; with a fresh optimizer."""
    for parameter in network.trunk.parameters():
        parameter.requires_grad_(phase.trains_encoder)
    part = learning_part(network, phase.trains_encoder)
    groups = parameter_groups(
        part.shared,
        part.all_own,
        learning_rate=phase.learning_rate,
        head_learning_rate=phase.head_learning_rate,
        weight_decay=settings.weight_decay,
    )
    parameters, decay = part.all, settings.average
    average = None if decay is None else WeightAverage(parameters, decay)
    return Learner(parameters, AdamW(groups), average)
