"""What a run consists of, and where it stands: phases, state, and the scores they are chosen by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from mtbert.data.schedules import Sizes
from mtbert.model.multitask import MultitaskNetwork
from mtbert.training.gradients import ExampleSource

__all__ = ["Phase", "Scores", "State"]


class Scores(Protocol):
    """What the loop needs to know of an evaluation."""

    @property
    def dev(self) -> dict[str, dict[str, float]]: ...

    @property
    def others(self) -> dict[str, dict[str, float]]: ...

    @property
    def predictions(self) -> dict[str, list[dict[str, Any]]]: ...

    def selection_score(self, select: str) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a run in which the same parameters learn from the same sources.

    Attributes:
        name: `heads` or `all`.
        epochs: number of epochs.
        sources: examples by task, with features where the encoder is frozen.
        sizes: what the schedule depends on.
        class_weights: `[classes]` by task, or None.
        trains_encoder: whether the encoder learns.
        learning_rate: peak rate of the encoder.
        head_learning_rate: peak rate of the heads.
        evaluate: scores the network on the dev sets.
        encoded_tokens: tokens that were encoded once for this phase, and
        encoding_seconds: the time that took; 0 where the steps themselves encode.
    """

    name: str
    epochs: int
    sources: Mapping[str, ExampleSource]
    sizes: Sizes
    class_weights: Mapping[str, Tensor | None]
    trains_encoder: bool
    learning_rate: float
    head_learning_rate: float
    evaluate: Callable[[MultitaskNetwork], Scores]
    encoded_tokens: int = 0
    encoding_seconds: float = 0.0


@dataclass(slots=True)
class State:
    """Where a run stands. JSON values only."""

    phase: int = 0
    epoch: int = 0
    """Epochs of this phase that are complete."""
    step_in_epoch: int = 0
    step: int = 0
    """Steps over the whole run."""
    phase_step: int = 0
    best_score: float | None = None
    best_step: int = 0
    best_epoch: int = 0
    best_dev: dict[str, dict[str, float | None]] = field(default_factory=dict)
    best_others: dict[str, dict[str, float | None]] = field(default_factory=dict)
    waited: int = 0
    """Evaluations since the best one."""
    stopped_early: bool = False
    tokens: int = 0
    step_seconds: float = 0.0
    encoding_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    run_seconds: float = 0.0
