"""Evaluation sets → predictions and scores of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.evaluation.metrics import mean_score, overall_score, score
from mtbert.evaluation.predict import compute_outputs, decode
from mtbert.model.multitask import MultitaskNetwork

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
        predictions: rows (id, gold, prediction, …) by task, or `task-set` for further sets.
    """

    dev: dict[str, dict[str, float]]
    others: dict[str, dict[str, float]]
    predictions: dict[str, list[dict[str, Any]]]

    @property
    def main(self) -> dict[str, float]:
        """The main metric of each task."""
        return {task: next(iter(metrics.values())) for task, metrics in self.dev.items()}

    @property
    def overall(self) -> float:
        """The course's overall score, or the mean."""
        return overall_score(self.main)

    @property
    def mean(self) -> float:
        """Plain mean of the tasks' main metrics."""
        return mean_score(self.main)

    def selection_score(self, select: str) -> float:
        """What `training.select` names: `sum`, or one `TASK.METRIC`."""
        if select == "sum":
            return sum(self.main.values())
        task, metric = select.split(".")
        return self.dev[task][metric]


def evaluate(network: MultitaskNetwork, sets: Sequence[EvaluationSet]) -> Evaluation:
    """Predict and score every set."""
    dev: dict[str, dict[str, float]] = {}
    others: dict[str, dict[str, float]] = {}
    predictions: dict[str, list[dict[str, Any]]] = {}
    for part in sets:
        task = network.tasks[part.task]
        answers = decode(task, compute_outputs(network, part.task, part.inputs))
        gold = np.asarray(part.inputs.labels)
        metrics = score(task, gold, np.array([a.value for a in answers]))
        if part.selects:
            dev[part.task] = metrics
        else:
            others[f"{part.task}/{part.name}"] = metrics
        predictions[part.task if part.selects else f"{part.task}-{part.name}"] = [
            {"id": row_id, "gold": _plain(label), **answer.as_json()}
            for row_id, label, answer in zip(part.ids, gold, answers, strict=True)
        ]
    return Evaluation(dev, others, predictions)


def _plain(label: float) -> float | int:
    return int(label) if float(label).is_integer() else float(label)
