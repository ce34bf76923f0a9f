"""Several models that answer together: the mean of their probabilities, or of their values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.data.inputs import Question
from mtbert.errors import UserError, shown
from mtbert.inference.answering import Answerer, Answers
from mtbert.inference.evaluate import Evaluation, EvaluationSet, score_outputs
from mtbert.inference.model import MultitaskModel
from mtbert.inference.predict import compute_outputs
from mtbert.inference.saved_run import load_model
from mtbert.inference.text_model import TextModel
from mtbert.objectives.table import combine

__all__ = ["Ensemble", "load_models"]

_MEANING = {"kind": "kind", "labels": "class_names", "loss": "loss_name", "range": "range"}
"""Settings that decide what a head's outputs mean."""
_READING = ("pair_encoding", "features", "long_texts", "max_windows")
"""Settings that decide how a model encodes the texts of a task."""

_log = logging.getLogger(__name__)


class Ensemble(TextModel):
    """Models that answer together (Dietterich 2000, Ensemble Methods in Machine Learning).

    A class, or a label, has the mean of its probabilities, and a number is the mean of the models'
    numbers. Encoders, tokenizers and forms of pairs may differ; a task is one that all of them
    have, with the same kind, classes, loss and range. Costs as much as all of them one after the
    other.

    Attributes:
        models: one or more; the first one's thresholds hold.
    """

    def __init__(self, models: Sequence[MultitaskModel]) -> None:
        """Let models answer together.

        Raises:
            UserError: no task is common to all, or one means something else in another model.
        """
        self.models = list(models)
        first, *others = self.models
        self._tasks = {
            name: task
            for name, task in first.network.tasks.items()
            if all(name in other.network.tasks for other in others)
        }
        for name, task in self._tasks.items():
            for number, other in enumerate(others, start=2):
                _check_alike(name, task, other.network.tasks[name], number)
        if not self._tasks:
            names = "; ".join(", ".join(model.tasks) for model in self.models)
            raise UserError(f"these models have no task in common: {names}")
        if left := [name for name in first.network.tasks if name not in self._tasks]:
            _log.info("left out, since not all models have them: %s", ", ".join(left))

    @property
    def task_settings(self) -> dict[str, TaskSettings]:
        """Of each task that all models have, by name."""
        return self._tasks

    def answerer(
        self, tasks: Mapping[str, TaskSettings], write: Callable[[Question, Answers], None]
    ) -> Answerer:
        """What answers rows one after another; see `Answerer`."""
        return Answerer(self.models, tasks, write)

    def readings(
        self, name: str, task: TaskSettings
    ) -> Iterator[tuple[MultitaskModel, TaskSettings]]:
        """Each model, and a task's settings as that model encodes its texts.

        Args:
            name: of the task.
            task: its settings as the first model has them; columns and files stay.
        """
        yield self.models[0], task
        for model in self.models[1:]:
            theirs = model.network.tasks[name]
            yield model, task.model_copy(update={key: getattr(theirs, key) for key in _READING})

    def evaluate(self, sets: Sequence[Sequence[EvaluationSet]]) -> Evaluation:
        """Scores of labelled sets.

        Args:
            sets: of each set one for each model, which has its texts as that model reads them.

        Raises:
            UserError: the models do not find the same rows usable.
        """
        by_name = {(part[0].task, part[0].name): part for part in sets}

        def outputs(first: EvaluationSet) -> NDArray[np.float64]:
            parts = by_name[first.task, first.name]
            if any(list(part.ids) != list(first.ids) for part in parts):
                raise UserError(f"task {first.task}: the models do not read the same rows")
            found = [
                compute_outputs(model.network, part.task, _tokenized(part.inputs))
                for model, part in zip(self.models, parts, strict=True)
            ]
            return combine(self._tasks[first.task], found)

        return score_outputs(self.models[0].network.tasks, [part[0] for part in sets], outputs)


def load_models(source: str, others: Sequence[str]) -> MultitaskModel | Ensemble:
    """A model, as `saved_run.load_model` gives it, or several that answer together.

    Raises:
        UserError: one of them is no model, or they do not fit together.
    """
    model = load_model(source)
    return Ensemble([model, *map(load_model, others)]) if others else model


def _tokenized(inputs: TokenizedSet | FeatureSet) -> TokenizedSet:
    assert isinstance(inputs, TokenizedSet)
    return inputs


def _check_alike(name: str, task: TaskSettings, other: TaskSettings, number: int) -> None:
    """Refuse a task that another model answers in another sense.

    Raises:
        UserError: says in which.
    """
    for key, attribute in _MEANING.items():
        ours, theirs = getattr(task, attribute), getattr(other, attribute)
        if ours != theirs:
            raise UserError(
                f"task {name}: found {key} {shown(theirs)} in model {number}, expected those of "
                f"the first, {shown(ours)}: models answer together only what means the same to "
                "all of them; leave that model out"
            )
