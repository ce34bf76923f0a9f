"""The state of a run in training: all that a checkpoint holds besides tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from mtbert.errors import UserError
from mtbert.hardware.memory import TOKEN_BUDGET
from mtbert.runs.forgetting import Stage

__all__ = ["State"]


@dataclass(slots=True)
class State:
    """Counters, scores and what happened on the way. JSON values only."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

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
    rate_factor: float = 1.0
    """Of every learning rate; halved by `training.non_finite: halve`."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Parts of steps that were not finite and were left out, by task."""
    first_losses: dict[str, list[float]] = field(default_factory=dict)
    """The first losses of each task, for comparison."""
    exploded: dict[str, int] = field(default_factory=dict)
    """The step at which a task's loss first exceeded its first ones by far."""
    parts: int = 1
    """Into which `training.accumulate: auto` has come to split a batch."""
    out_of_memory: int = 0
    """How often a step did not fit and was computed again in more parts."""
    token_budget: int = TOKEN_BUDGET
    """Tokens of an evaluation batch; less than at first where memory did not suffice."""
    updates: dict[str, int] = field(default_factory=dict)
    """Updates that each parameter has had, by name."""
    methods: dict[str, dict[str, JsonValue]] = field(default_factory=dict)
    """What the methods remember, by family; those that remember nothing are not in it."""
    epoch_losses: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Sum and number of each task's losses in this epoch, where the weighting depends on them."""
    recent_losses: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Sum and number of each task's losses since the last evaluation, in the labels' unit."""
    dominance: list[tuple[str, float]] = field(default_factory=list)
    """The last measurements in which one task's gradient was many times the others': how many."""
    told_dominant: str = ""
    """The task that was warned of last because of it."""
    best_one_answer: dict[str, str] = field(default_factory=dict)
    """Tasks to all of whose dev rows the best weights give one answer, and which."""
    target_scales: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """Mean, variance and updates of each target's scale that follows the labels, by task."""
    best_target_scales: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """The same at the best evaluation, whose weights are on it."""
    stages: list[Stage] = field(default_factory=list)
    """The scores after each stage of this phase, where tasks are trained one after the other."""
    tokens: int = 0
    step_seconds: float = 0.0
    step_cpu_seconds: float = 0.0
    """Processor time of the steps, all threads; what other processes take is not in it."""
    encoding_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    run_seconds: float = 0.0

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: str) -> State:
        """The state that was saved; fields that it lacks have their first value.

        Raises:
            UserError: names `source` and what does not fit.
        """
        try:
            return TypeAdapter(cls).validate_json(json.dumps(values))
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"]))
            raise UserError(f"{source}: {where}: {found['msg'].lower()}") from None
