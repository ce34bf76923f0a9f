"""Several models that answer together: the mean of their probabilities, or of their values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtbert.config.heads import differing_settings
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

_MEANING = ("kind", "class_names", "loss_name", "range")
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
        left_out: why a task of the first model is not answered, by its name.
    """

    def __init__(
        self, models: Sequence[MultitaskModel], names: Sequence[str] | None = None
    ) -> None:
        """Let models answer together.

        Args:
            models: one or more.
            names: what messages call each of them.

        Raises:
            UserError: there is no model, or no task that means the same to all.
        """
        self.models = list(models)
        if not self.models:
            raise UserError("an ensemble needs a model or more")
        self._names = names or [f"model {number + 1}" for number in range(len(self.models))]
        first = self.models[0].network.tasks
        self.left_out = {name: why for name in first if (why := self._why_not(name)) is not None}
        self._tasks = {name: task for name, task in first.items() if name not in self.left_out}
        told = "; ".join(f"task {name}: {why}" for name, why in self.left_out.items())
        if not self._tasks:
            raise UserError(f"these models cannot answer together: {told}")
        if told:
            _log.info("left out: %s", told)

    def _why_not(self, name: str) -> str | None:
        """In which sense another model answers a task otherwise than the first, if one does."""
        task = self.models[0].network.tasks[name]
        for model, called in zip(self.models[1:], self._names[1:], strict=True):
            if (other := model.network.tasks.get(name)) is None:
                return f"not in {called}"
            for attribute in _MEANING:
                ours, theirs = getattr(task, attribute), getattr(other, attribute)
                if ours != theirs:
                    (key,) = differing_settings(task, other, [attribute])
                    return f"{key} {shown(theirs)} in {called}, {shown(ours)} in {self._names[0]}"
        return None

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
    return Ensemble([model, *map(load_model, others)], [source, *others]) if others else model


def _tokenized(inputs: TokenizedSet | FeatureSet) -> TokenizedSet:
    assert isinstance(inputs, TokenizedSet)
    return inputs
