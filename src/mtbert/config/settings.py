"""The whole configuration: its sections, and the checks that span them.

The descriptions of the keys are the documentation: docs/configuration.md is generated from them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mtbert.config.card import CardSettings
from mtbert.config.data import DataSettings
from mtbert.config.encoder import EncoderSettings
from mtbert.config.fields import TASK_NAME, Section, share_of
from mtbert.config.files import Files, names_of
from mtbert.config.selection import select_problem
from mtbert.config.tasks import TaskSettings, predictions_name
from mtbert.config.training import TrainingSettings
from mtbert.methods.sampling.base import EpochSpec

__all__ = ["Settings"]


class Settings(Section):
    """A whole run."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="All randomness: heads, order of the data, dropout, surgery."
    )
    device: str = Field("auto", description="`auto` or a torch device: `cpu`, `cuda`, `cuda:1`.")
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = Field(
        "auto", description="Processor threads; `auto` leaves torch's choice."
    )
    data: DataSettings = Field(DataSettings(), description="Where the files are.")
    encoder: EncoderSettings = Field(EncoderSettings(), description="The shared encoder.")
    tasks: dict[Annotated[str, Field(pattern=f"^{TASK_NAME}$")], TaskSettings] = Field(
        description="The tasks by name, at least one.", min_length=1
    )
    training: TrainingSettings = Field(TrainingSettings(), description="How weights are learned.")
    card: CardSettings = Field(CardSettings(), description="What the model card says besides.")

    @property
    def trained_tasks(self) -> dict[str, TaskSettings]:
        """Tasks with a head of their own."""
        return {name: task for name, task in self.tasks.items() if task.uses is None}

    def epoch_spec(
        self, examples: Mapping[str, int], lengths: Mapping[str, NDArray[np.int64]] | None = None
    ) -> EpochSpec:
        """What the plan of an epoch depends on.

        The settings must say how many epochs there are (`config.automatic.with_epochs`).

        Args:
            examples: number of training examples by task.
            lengths: tokens of each example by task, `[examples]`; used with `group_by_length`.
        """
        training = self.training
        assert training.epochs != "auto"
        return EpochSpec(
            examples=examples,
            batch_size={n: self.tasks[n].batch_size or training.batch_size for n in examples},
            epochs=training.epochs,
            lengths=lengths if training.group_by_length else None,
            max_steps=training.steps_per_epoch,
            both_orders=frozenset(n for n in examples if self.tasks[n].in_both_orders),
        )

    def shares_file(self, files: Files) -> bool:
        """Whether several tasks have a file, or one of several, among theirs, however it is spelt.

        A blank label in such a file means that the row is another task's.
        """
        return any(self._users_of_files[self.file_identity(name)] > 1 for name in names_of(files))

    @cached_property
    def _users_of_files(self) -> Counter[str]:
        """How many tasks use each file."""
        return Counter(
            file
            for task in self.tasks.values()
            for file in {
                self.file_identity(name)
                for files in (task.train, task.test, *task.dev_files.values())
                if files and share_of(files) is None
                for name in names_of(files)
            }
        )

    def file_identity(self, files: Files) -> str:
        """One text for all spellings of a file's name, or of several."""
        return "\n".join(os.path.realpath(self.data.locate(name)) for name in names_of(files))

    @model_validator(mode="before")
    @classmethod
    def _as_the_heads_owner(cls, tree: Any) -> Any:
        """A task that uses another's head answers as that one does, unless it says otherwise."""
        tasks = tree.get("tasks") if isinstance(tree, Mapping) else None
        if not isinstance(tasks, Mapping):
            return tree
        return {**tree, "tasks": {name: _completed(task, tasks) for name, task in tasks.items()}}

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [
            f"tasks.{name}.uses: no trained task {task.uses!r} of the same kind, labels, "
            "range, loss and form (a key that is left out is that task's own)"
            for name, task in self.tasks.items()
            if task.uses is not None and not self._can_use(task)
        ]
        if not self.trained_tasks:
            problems.append("tasks: at least one task needs `train`")
        if (problem := select_problem(self.training.select, self.tasks)) is not None:
            problems.append(problem)
        one_pass = len(self.trained_tasks) == 1 and self.training.accumulate == 1
        if self.training.compile == "reduce-overhead" and not one_pass:
            # A CUDA graph writes its gradients where it has written those of the pass before.
            problems.append(
                "training.compile: `reduce-overhead` needs one backward pass a step, so one task "
                "and `training.accumulate: 1`; set `training.compile: default`"
            )
        problems += self._shared_file_problems()
        if self.encoder.mode == "frozen":
            problems += [
                f"{key}: with `encoder.mode: frozen` the encoder does not learn; leave it out"
                for key, value in (
                    ("encoder.reinitialise", self.encoder.reinitialise),
                    ("training.layer_decay", self.training.layer_decay),
                )
                if value is not None
            ]
        if self.encoder.mode == "frozen" and not self.encoder.sharing.has_shared:
            problems.append(
                f"encoder.mode: with `encoder.sharing: {self.encoder.sharing.name}` each task has "
                "a whole encoder of its own, and none would be frozen; set `encoder.mode: finetune`"
            )
        if self.training.surgery.sets_aside:
            if not self.encoder.sharing.has_shared:
                problems.append(
                    f"training.surgery: with `encoder.sharing: {self.encoder.sharing.name}` the "
                    "tasks share no parameters, so no gradients can conflict; set "
                    "`training.surgery: none`"
                )
            elif self.encoder.mode == "frozen":
                problems.append(
                    "training.surgery: with `encoder.mode: frozen` nothing is shared that learns; "
                    "set `training.surgery: none`"
                )
            elif len(self.trained_tasks) < 2:
                problems.append(
                    "training.surgery: one task has no gradient to conflict with; set "
                    "`training.surgery: none`"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _can_use(self, task: TaskSettings) -> bool:
        other = self.trained_tasks.get(task.uses or "")
        return other is not None and (
            (other.kind, other.loss_name, other.pair_encoding, other.range)
            == (task.kind, task.loss_name, task.pair_encoding, task.range)
            and (
                other.labels_unknown or task.labels_unknown or other.class_names == task.class_names
            )
        )

    def _shared_file_problems(self) -> list[str]:
        """Dev sets whose predictions would overwrite each other, also where case does not count."""
        problems = []
        owners: dict[str, str] = {}
        for task, fields in self.tasks.items():
            for position, name in enumerate(fields.dev_files):
                file = predictions_name(task, name, selects=position == 0).lower()
                key = f"tasks.{task}.dev" + (f".{name}" if position else "")
                if file in owners:
                    problems.append(
                        f"{key}: its predictions would be written into the same file as those of "
                        f"{owners[file]}; rename one of them"
                    )
                owners.setdefault(file, key)
        return problems


_OF_THE_HEAD = ("loss", "range", "pair_encoding")
"""Keys of a task that say what its head's outputs mean."""


def _completed(task: Any, tasks: Mapping[Any, Any]) -> Any:
    """A task's keys, not checked yet, with those of the head that it uses and does not give."""
    if not isinstance(task, Mapping) or not isinstance(task.get("uses"), str):
        return task
    owner = tasks.get(task["uses"])
    if not isinstance(owner, Mapping):
        return task
    return {**{key: owner[key] for key in _OF_THE_HEAD if key in owner}, **task}
