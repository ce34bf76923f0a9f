"""The trainable parameters of a phase, their optimizer and their moving average."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import Parameter

from mtbert.config.training import TrainingSettings
from mtbert.model.network import MultitaskNetwork
from mtbert.training.ema import WeightAverage
from mtbert.training.layer_rates import layer_factors
from mtbert.training.optimizer import AdamW, optimizer_moments, parameter_groups
from mtbert.training.phases.base import Phase

__all__ = ["Learner", "make_learner"]


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


def make_learner(network: MultitaskNetwork, phase: Phase, settings: TrainingSettings) -> Learner:
    """Let a phase's parameters, and no others, require gradients; with a fresh optimizer."""
    learning = network.learning(shared=phase.trains_encoder, own=phase.trains_own)
    parameters = learning.all
    for name, parameter in network.partition.all.items():
        parameter.requires_grad_(name in parameters)
    trunk, decay = learning.shared | learning.all_own, settings.layer_decay
    layers = network.encoder.config.num_hidden_layers
    groups = parameter_groups(
        trunk,
        learning.all_heads,
        learning_rate=phase.learning_rate,
        head_learning_rate=phase.head_learning_rate,
        weight_decay=settings.weight_decay,
        rate_factors=None if decay is None else layer_factors(trunk, layers, decay),
    )
    share = settings.average
    average = None if share is None else WeightAverage(parameters, share)
    return Learner(parameters, AdamW(groups), average)
