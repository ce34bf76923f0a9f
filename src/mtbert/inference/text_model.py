"""What answers texts in Python: lists of texts, or of pairs, in; predictions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set
from types import MappingProxyType
from typing import Any

import numpy as np

from mtbert.config.tasks import TaskSettings
from mtbert.data.inputs import Question
from mtbert.errors import UserError, shown
from mtbert.inference.answering import Answerer, Answers
from mtbert.objectives.base import Prediction

__all__ = ["COLUMNS", "TextModel"]

Texts = Iterable[str] | Iterable[tuple[str, str]]

COLUMNS = {"text": "text", "text2": "text2"}
"""What a text, or a pair of texts, is called where it comes from no file."""


class TextModel(ABC):
    """Answers the tasks that it knows: one model, or several together."""

    left_out: Mapping[str, str] = MappingProxyType({})
    """Why a task that a model has is not answered, by its name."""

    @property
    @abstractmethod
    def task_settings(self) -> dict[str, TaskSettings]:
        """Of each task, by name."""

    @abstractmethod
    def answerer(
        self, tasks: Mapping[str, TaskSettings], write: Callable[[Question, Answers], None]
    ) -> Answerer:
        """What answers rows one after another; see `Answerer`."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(self.task_settings)

    def predict(self, task: str, texts: Texts) -> list[Prediction]:
        """One prediction per text, or per pair of texts.

        Args:
            task: its name.
            texts: a list, tuple, generator, NumPy array or pandas Series of texts; of pairs of
                texts for a task on pairs.

        Raises:
            UserError: no such task; one bare text instead of a list; or something else than a text
                where a text is expected (None, NaN, a pair), or than a pair where a pair is.
        """
        if task not in self.task_settings:
            raise UserError(f"no task {task!r}; this model has: {', '.join(self.tasks)}")
        return [answers[task] for answers in self._answers([task], texts)]

    def predict_all(self, texts: Texts) -> list[dict[str, Prediction]]:
        """The answers of every task that fits, by task, to each text or pair of texts.

        Texts are answered by the tasks on texts, pairs by those on pairs. A text is encoded once
        for all tasks that encode it alike.

        Raises:
            UserError: as `predict`; or no task takes what was given.
        """
        items = _listed(texts)
        pairs = bool(items) and not isinstance(items[0], str)
        trained = {n: t for n, t in self.task_settings.items() if t.uses is None}
        names = [name for name, task in trained.items() if task.kind.is_pair == pairs]
        if not names:
            found, takes = ("pairs", "texts") if pairs else ("texts", "pairs of texts")
            raise UserError(f"found {found}, and all tasks of this model take {takes}")
        return self._answers(names, items)

    def _answers(self, names: list[str], texts: Texts) -> list[dict[str, Prediction]]:
        tasks = {name: self.task_settings[name].reading(COLUMNS) for name in names}
        is_pair = tasks[names[0]].kind.is_pair
        columns = tasks[names[0]].text_places
        found: list[dict[str, Prediction]] = []
        answerer = self.answerer(tasks, lambda _, answers: found.append(dict(answers)))
        for number, item in enumerate(_listed(texts)):
            parts = _parts(item)
            if parts is None or len(parts) != 1 + is_pair:
                expected = "pairs of texts" if is_pair else "texts"
                raise UserError(
                    f"task {names[0]!r} takes {expected}, found {shown(item)} at {number}"
                )
            question = Question(str(number), number, {columns: tuple(p.strip() for p in parts)})
            answerer.ask(question)
        answerer.flush()
        return found


def _listed(texts: Texts) -> list[Any]:
    """The items of what was given.

    Raises:
        UserError: it is one text, or nothing that has items in an order.
    """
    if isinstance(texts, (str, bytes)):
        raise UserError(f"found one text, {shown(texts)}, expected a list of them: [text]")
    if hasattr(texts, "columns") and hasattr(texts, "itertuples"):
        raise UserError(
            "found a DataFrame, expected a list of texts, frame['text'], or of pairs of texts, "
            "list(zip(frame['text'], frame['text2']))"
        )
    if isinstance(texts, (Mapping, Set)) or not isinstance(texts, Iterable):
        raise UserError(
            f"found {type(texts).__name__}, expected a list of texts, or of pairs of texts"
        )
    return [item.tolist() if isinstance(item, np.ndarray) else item for item in texts]


def _parts(item: object) -> tuple[str, ...] | None:
    """The texts of an item; None if it is no text, and no pair of them."""
    if isinstance(item, str):
        return (item,)
    if not isinstance(item, (tuple, list)) or not all(isinstance(part, str) for part in item):
        return None
    return tuple(item) if len(item) == 2 else None
