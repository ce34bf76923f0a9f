"""The interface of a phase: a part of a run with fixed trainable parameters and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtbert.data.batches import ExampleSource
from mtbert.inference.evaluate import Evaluation
from mtbert.methods.sampling.base import EpochSpec, SuperBatch
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.class_weights import class_weights
from mtbert.training.setup import Prepared

__all__ = ["Phase", "PhaseData", "example_ids", "loss_class_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseData:
    """What a phase trains on and is evaluated by.

    Attributes:
        sources: examples by task, with features where the encoder is frozen.
        ids: their ids as they stand in the files, for messages.
        class_weights: `[classes]` by task, or None.
        evaluate: scores the network on the dev sets.
        encoded: tasks whose texts were encoded once for this phase,
        encoded_tokens: how many tokens these have, and
        encoding_seconds: the time that took; nothing where the steps themselves encode.
    """

    sources: Mapping[str, ExampleSource]
    ids: Mapping[str, Sequence[str]]
    class_weights: Mapping[str, Tensor | None]
    evaluate: Callable[[MultitaskNetwork], Evaluation]
    encoded: frozenset[str] = frozenset()
    encoded_tokens: int = 0
    encoding_seconds: float = 0.0

    def tokens(self, step: SuperBatch) -> tuple[int, int]:
        """Tokens of a step's texts: all, and those that the step itself encodes."""
        counts = {t: int(self.sources[t].lengths[b.indices].sum()) for t, b in step.items()}
        return sum(counts.values()), sum(n for t, n in counts.items() if t not in self.encoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase as it is planned; its data are prepared when it starts.

    Attributes:
        name: as it stands in the log.
        epochs: number of epochs.
        spec: what the plan of an epoch depends on.
        trains_encoder: whether what the tasks share of the encoder learns.
        trains_own: whether the tasks' own parts of the trunk learn.
        learning_rate: peak rate of what learns below the heads.
        head_learning_rate: peak rate of the heads.
        prepare: makes the data, with the network as it is then; may take minutes.
    """

    name: str
    epochs: int
    spec: EpochSpec
    trains_encoder: bool
    trains_own: bool
    learning_rate: float
    head_learning_rate: float
    prepare: Callable[[], PhaseData]

    @property
    def trains_trunk(self) -> bool:
        """Whether anything below the heads learns."""
        return self.trains_encoder or self.trains_own


def example_ids(prepared: Prepared) -> dict[str, Sequence[str]]:
    """Ids of the training examples, by task."""
    return {name: part.train.ids for name, part in prepared.data.items() if part.train is not None}


def loss_class_weights(prepared: Prepared) -> dict[str, Tensor | None]:
    """Class weights of the losses, `[classes]` by task, or None."""
    return {
        name: class_weights(prepared.settings.tasks[name], torch.from_numpy(part.labels))
        for name, part in prepared.train.items()
    }
