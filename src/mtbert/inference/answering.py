"""Answers of several tasks to rows of texts: tasks that read a text alike share its encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import tokenize
from mtbert.data.examples import Example
from mtbert.data.inputs import Columns, Question
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError
from mtbert.hardware.memory import Memory
from mtbert.inference.predict import compute_joint_outputs
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.base import Prediction
from mtbert.objectives.table import decode

__all__ = ["Answerer", "Answers"]

Answers = Mapping[str, Prediction]
"""The answers to one row, by task."""

_CHUNK = 1024  # rows, and
_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class _Group:
    """Tasks that read the same columns and encode them alike."""

    columns: Columns
    tasks: list[str]


class Answerer:
    """Answers rows in order, a bounded number in memory at a time.

    Attributes:
        cut: texts, or pairs, that were longer than the model reads.
        blank: rows of which a text is empty; they are answered too.
        answered: rows.
    """

    def __init__(
        self,
        network: MultitaskNetwork,
        tokenizer: Tokenizer,
        max_length: int,
        tasks: Mapping[str, TaskSettings],
        write: Callable[[Question, Answers], None],
    ) -> None:
        """Begin.

        Args:
            network: with a head for each task.
            tokenizer: of its encoder.
            max_length: longer sequences are cut.
            tasks: to be answered, with the columns to be read.
            write: takes each row with its answers, in order.
        """
        self._network, self._tokenizer, self._max_length = network, tokenizer, max_length
        self._tasks, self._write = tasks, write
        self._groups = _groups(network, tasks)
        self._memory = Memory()
        self._waiting: list[Question] = []
        self._characters = 0
        self.answered = self.cut = self.blank = 0

    def ask(self, question: Question) -> None:
        """Take a row; it is answered when there are enough, or at the next `flush`."""
        self._waiting.append(question)
        self._characters += sum(len(t) for texts in question.texts.values() for t in texts)
        if len(self._waiting) == _CHUNK or self._characters >= _CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Answer the rows that are waiting.

        Raises:
            UserError: an answer is not finite, or memory runs out.
        """
        questions, self._waiting, self._characters = self._waiting, [], 0
        if not questions:
            return
        found: list[dict[str, Prediction]] = [{} for _ in questions]
        for group in self._groups:
            self._answer(group, questions, found)
        for question, answers in zip(questions, found, strict=True):
            self.answered += 1
            self.blank += any(not text for texts in question.texts.values() for text in texts)
            self._write(question, {name: answers[name] for name in self._tasks})

    def _answer(
        self, group: _Group, questions: Sequence[Question], found: list[dict[str, Prediction]]
    ) -> None:
        examples = [Example(q.id, q.texts[group.columns], None, q.line) for q in questions]
        alike = self._network.tasks[group.tasks[0]]
        inputs = tokenize(examples, alike, self._tokenizer, self._max_length)
        self.cut += inputs.truncated
        outputs = compute_joint_outputs(self._network, group.tasks, inputs, self._memory)
        for name in group.tasks:
            answers = decode(self._network.tasks[name], outputs[name])
            for question, answer, row in zip(questions, answers, found, strict=True):
                if not np.isfinite(answer.score):
                    raise UserError(
                        f"task {name}: the answer for the row in line {question.line} is "
                        f"{answer.score}; the model's weights are damaged, or training went wrong"
                    )
                row[name] = answer


def _groups(network: MultitaskNetwork, tasks: Mapping[str, TaskSettings]) -> list[_Group]:
    """Tasks that one encoding serves; those with a part of the trunk of their own stand alone."""
    own = network.partition.own
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, asked in tasks.items():
        task = network.tasks[name]
        key = (
            asked.text_places,
            task.kind.is_pair and task.pair_encoding,
            task.long_texts,
            task.window_limit if task.long_texts == "windows" else None,
            (task.uses or name) if own else None,
        )
        groups.setdefault(key, []).append(name)
    return [_Group(tasks[names[0]].text_places, names) for names in groups.values()]
