"""Answers of several tasks to rows of texts: tasks that read a text alike share its encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
from mtbert.objectives.table import combine, decode

__all__ = ["Answerer", "Answers", "Member"]

Answers = Mapping[str, Prediction]
"""The answers to one row, by task."""

_CHUNK = 1024  # rows, and
_CHARACTERS = 1 << 20


class Member(Protocol):
    """One of the models that answer together: a network, its tokenizer, its longest sequence."""

    network: MultitaskNetwork
    tokenizer: Tokenizer
    max_length: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Tasks that read the same columns and encode them alike."""

    columns: Columns
    tasks: list[str]


class Answerer:
    """Answers rows in order, a bounded number in memory at a time.

    Attributes:
        cut: texts, or pairs, that were longer than the first model reads.
        blank: rows of which a text is empty; they are answered too.
        answered: rows.
    """

    def __init__(
        self,
        members: Sequence[Member],
        tasks: Mapping[str, TaskSettings],
        write: Callable[[Question, Answers], None],
    ) -> None:
        """Begin.

        Args:
            members: models with a head for each task; several answer by the mean of their
                probabilities, or of their values.
            tasks: to be answered, with the columns to be read.
            write: takes each row with its answers, in order.
        """
        self._tasks, self._write = tasks, write
        self._members = [(member, _groups(member.network, tasks)) for member in members]
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
        outputs: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self._tasks}
        for number, (member, groups) in enumerate(self._members):
            for group in groups:
                cut = self._compute(member, group, questions, outputs)
                self.cut += cut if number == 0 else 0
        found = {name: self._decode(name, parts, questions) for name, parts in outputs.items()}
        for row, question in enumerate(questions):
            self.answered += 1
            self.blank += any(not text for texts in question.texts.values() for text in texts)
            self._write(question, {name: answers[row] for name, answers in found.items()})

    def _compute(
        self,
        member: Member,
        group: _Group,
        questions: Sequence[Question],
        outputs: Mapping[str, list[NDArray[np.float64]]],
    ) -> int:
        """Add a member's outputs for a group of tasks; how many texts were cut for it."""
        examples = [Example(q.id, q.texts[group.columns], None, q.line) for q in questions]
        alike = member.network.tasks[group.tasks[0]]
        inputs = tokenize(examples, alike, member.tokenizer, member.max_length)
        computed = compute_joint_outputs(member.network, group.tasks, inputs, self._memory)
        for name in group.tasks:
            outputs[name].append(computed[name])
        return inputs.truncated

    def _decode(
        self,
        name: str,
        outputs: Sequence[NDArray[np.float64]],
        questions: Sequence[Question],
    ) -> list[Prediction]:
        """The answers of a task, by the outputs of the members."""
        task = self._members[0][0].network.tasks[name]
        answers = decode(task, combine(task, outputs))
        for question, answer in zip(questions, answers, strict=True):
            if not np.isfinite(answer.score):
                raise UserError(
                    f"task {name}: the answer for the row in line {question.line} is "
                    f"{answer.score}; the model's weights are damaged, or training went wrong"
                )
        return answers


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
