"""Evaluation of a network: predictions and scores on labelled sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import predictions_name
from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.distributed.processes import ALONE, Processes
from mtbert.hardware.memory import Memory
from mtbert.inference.metrics import mean_score, overall_score, score, undefined
from mtbert.inference.predict import compute_outputs
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.base import answer_values
from mtbert.objectives.table import decode

__all__ = ["Evaluation", "EvaluationSet", "evaluate"]


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
    """

    dev: dict[str, dict[str, float]]
    others: dict[str, dict[str, float]]
    undefined: dict[str, str]
    predictions: dict[str, list[dict[str, Any]]]
    main: dict[str, float]

    @property
    def overall(self) -> float:
        """The course's overall score, or the mean."""
        return overall_score(self.main)

    @property
    def mean(self) -> float:
        """Plain mean of the tasks' main metrics."""
        return mean_score(self.main)

    def selection_score(self, select: str) -> float:
        """What `training.select` names: `sum`, or one `TASK.METRIC`.

        In the sum an undefined metric counts 0, so that the other tasks still choose.
        """
        if select == "sum":
            return sum(0.0 if math.isnan(value) else value for value in self.main.values())
        task, metric = select.split(".")
        return self.dev[task][metric]


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
    dev: dict[str, dict[str, float]] = {}
    others: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    predictions: dict[str, list[dict[str, Any]]] = {}
    for part in sets:
        task = network.tasks[part.task]
        outputs = compute_outputs(network, part.task, part.inputs, memory, processes)
        with np.errstate(invalid="ignore"):
            answers = decode(task, outputs)
        gold = np.asarray(part.inputs.labels)
        name = part.task if part.selects else f"{part.task}/{part.name}"
        reason = undefined(task, gold, outputs)
        if reason is None:
            metrics = score(task, gold, answer_values(task, answers))
        else:
            reasons[name] = reason
            metrics = dict.fromkeys(task.metrics, math.nan)
        (dev if part.selects else others)[name] = metrics
        predictions[predictions_name(part.task, part.name, selects=part.selects)] = [
            {"id": row_id, "gold": _plain(label), **answer.as_json()}
            for row_id, label, answer in zip(part.ids, gold, answers, strict=True)
        ]
    main = {name: metrics[network.tasks[name].main_metric] for name, metrics in dev.items()}
    return Evaluation(dev, others, reasons, predictions, main)


def _plain(label: np.float64 | NDArray[np.float64]) -> float | int | list[int]:
    """A label as it stands in prediction files; of several labels the numbers of those given."""
    if np.ndim(label):
        return [int(number) for number in np.flatnonzero(label)]
    return int(label) if float(label).is_integer() else float(label)
