"""Evaluation of a network: predictions and scores on labelled sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtbert.config.selection import BALANCED, parse_select
from mtbert.config.tasks import TaskSettings, predictions_name
from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.distributed.processes import ALONE, Processes
from mtbert.hardware.memory import Memory
from mtbert.inference.metrics import (
    mean_score,
    overall_score,
    score,
    scores_by_class,
    undefined,
)
from mtbert.inference.one_answer import one_answer
from mtbert.inference.predict import compute_outputs
from mtbert.inference.standard_errors import in_standard_errors
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.base import Prediction, answer_values
from mtbert.objectives.table import decode, example_losses

__all__ = ["Evaluation", "EvaluationSet", "evaluate", "score_outputs"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Labelled examples of one task.

    Attributes:
        task: its name.
        name: of the set; a task may have several.
        ids: of the examples.
        inputs: the examples, tokenized or already encoded.
        selects: whether it takes part in choosing the best epoch.
    """

    task: str
    name: str
    ids: Sequence[str]
    inputs: TokenizedSet | FeatureSet
    selects: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores and predictions.

    Attributes:
        dev: metrics by task, of the sets that select.
        others: metrics by `task/set`, of further sets.
        undefined: why metrics are NaN, by the same names.
        predictions: rows (id, gold, prediction, …) by task, or `task-set` for further sets.
        main: the main metric of each task, of the sets that select.
        by_class: of these sets, by task, metric and name of the class.
        trained: names of the tasks that have a head of their own.
        losses: mean over the examples, by the names of `dev` and `others`, without class weights;
            of a regression in the unit of its labels.
        loss_names: of each of them.
        one_answer: sets whose every row has one answer though their labels differ, by these names:
            which, in words.
        balanced: the main metrics in units of their standard errors.
    """

    dev: dict[str, dict[str, float]]
    others: dict[str, dict[str, float]]
    undefined: dict[str, str]
    predictions: dict[str, list[dict[str, Any]]]
    main: dict[str, float]
    by_class: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    trained: frozenset[str] = frozenset()
    losses: dict[str, float] = field(default_factory=dict)
    loss_names: dict[str, str] = field(default_factory=dict)
    one_answer: dict[str, str] = field(default_factory=dict)
    balanced: dict[str, float] = field(default_factory=dict)

    @property
    def _selecting(self) -> dict[str, float]:
        """Main metrics that enter the sum: of tasks that train, or of all if none of them has."""
        return {name: self.main[name] for name in self.trained if name in self.main} or self.main

    @property
    def overall(self) -> float:
        """The course's overall score, or the mean."""
        return overall_score(self.main)

    @property
    def mean(self) -> float:
        """Plain mean of the tasks' main metrics."""
        return mean_score(self.main)

    def selection_score(self, select: str) -> float:
        """The value of what `training.select` names.

        In a sum an undefined metric counts 0, so that the other tasks still choose, and tasks
        that are only evaluated do not count.
        """
        chosen = parse_select(select)
        if chosen is None:
            scores = self.balanced if select == BALANCED else self.main
            found = (scores[name] for name in self._selecting)
            return sum(0.0 if math.isnan(value) else value for value in found)
        if chosen.class_name is not None:
            return self.by_class[chosen.task][chosen.metric][chosen.class_name]
        return self.dev[chosen.task][chosen.metric]


def evaluate(
    network: MultitaskNetwork,
    sets: Sequence[EvaluationSet],
    memory: Memory | None = None,
    processes: Processes = ALONE,
) -> Evaluation:
    """Predict and score every set; several processes share the work, each has the result.

    Raises:
        OutOfMemory: not even one example at a time fits into `memory`.
    """
    memory = memory or Memory()
    return score_outputs(
        network.tasks,
        sets,
        lambda part: compute_outputs(network, part.task, part.inputs, memory, processes),
    )


def score_outputs(
    tasks: Mapping[str, TaskSettings],
    sets: Sequence[EvaluationSet],
    compute: Callable[[EvaluationSet], Array],
) -> Evaluation:
    """Score every set by what `compute` makes of it, `[examples, outputs]` in the labels' unit.

    Args:
        tasks: the settings of all tasks, by name.
        sets: to be scored.
        compute: the outputs of a set.
    """
    dev: dict[str, dict[str, float]] = {}
    others: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    predictions: dict[str, list[dict[str, Any]]] = {}
    by_class: dict[str, dict[str, dict[str, float]]] = {}
    losses: dict[str, float] = {}
    loss_names: dict[str, str] = {}
    alike: dict[str, str] = {}
    for part in sets:
        task = tasks[part.task]
        outputs = compute(part)
        with np.errstate(invalid="ignore"):
            answers = decode(task, outputs)
        gold = np.asarray(part.inputs.labels)
        name = part.task if part.selects else f"{part.task}/{part.name}"
        predicted = answer_values(task, answers)
        if not np.isfinite(outputs).all():
            predicted[:] = math.nan  # a class has been decoded from what is no number
        elif (same := one_answer(task, gold, predicted)) is not None:
            alike[name] = same
        # A range may have made one number of outputs that differ.
        bounded = np.isfinite(outputs).all() and task.kind.is_regression
        reason = undefined(task, gold, predicted[:, np.newaxis] if bounded else outputs)
        if reason is not None:
            reasons[name] = reason
        losses[name], loss_names[name] = _mean_loss(task, outputs, gold), task.loss_name
        (dev if part.selects else others)[name] = score(
            task, gold, predicted, _positive_scores(task, answers)
        )
        if part.selects:
            by_class[part.task] = scores_by_class(task, gold, predicted)
        predictions[predictions_name(part.task, part.name, selects=part.selects)] = [
            {"id": row_id, "gold": _plain(label), **answer.as_json()}
            for row_id, label, answer in zip(part.ids, gold, answers, strict=True)
        ]
    main = {name: metrics[tasks[name].kind.main_metric] for name, metrics in dev.items()}
    balanced = {
        part.task: in_standard_errors(
            tasks[part.task].kind.main_metric, main[part.task], len(part.ids)
        )
        for part in sets
        if part.selects
    }
    trained = frozenset(name for name, task in tasks.items() if task.uses is None)
    return Evaluation(
        dev, others, reasons, predictions, main, by_class, trained, losses, loss_names, alike,
        balanced,
    )  # fmt: skip


def _mean_loss(task: TaskSettings, outputs: Array, gold: Array) -> float:
    """The task's loss on a set, computed in float64."""
    losses = example_losses(task, torch.from_numpy(outputs), torch.from_numpy(gold))
    return float(losses.mean())


def _positive_scores(task: TaskSettings, answers: Sequence[Prediction]) -> Array | None:
    """Scores of the second of two classes, `[examples]`; None for other tasks."""
    names = task.class_names
    if not task.kind.is_classification or len(names) != 2:
        return None
    return np.array(
        [a.score if a.probabilities is None else a.probabilities[names[1]] for a in answers]
    )


def _plain(label: np.float64 | NDArray[np.float64]) -> float | int | list[int]:
    """A label as it stands in prediction files; of several labels the numbers of those given."""
    if np.ndim(label):
        return [int(number) for number in np.flatnonzero(label)]
    return int(label) if float(label).is_integer() else float(label)
