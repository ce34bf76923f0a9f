"""What `predict` and `evaluate` share: the model, the tasks asked for, the columns of a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mtbert.commands.base import existing_or_new
from mtbert.errors import UserError, shown

if TYPE_CHECKING:
    from mtbert.config.tasks import TaskSettings

__all__ = ["add_source", "asked_tasks", "mapped_columns", "reading_columns"]

_COLUMNS = ("id", "text", "text2", "label")


def add_source(parser: argparse.ArgumentParser) -> None:
    """The model, and the options that say what of it and of a file is wanted."""
    parser.add_argument(
        "source",
        nargs="?",
        type=_model_name,
        metavar="RUN-or-MODEL",
        help="a run, a model folder or a Hub id",
    )
    parser.add_argument(
        "--with", action="append", dest="others", type=_model_name, default=[],
        metavar="RUN-or-MODEL",
        help="answer together with this one too (may be repeated): the mean of probabilities, or "
        "of values",
    )  # fmt: skip
    parser.add_argument(
        "--task", action="append", metavar="NAME", help="only this task (may be repeated)"
    )
    parser.add_argument(
        "--columns", nargs="+", default=[], metavar="WHICH=COLUMN",
        help="where the file has what: text=, text2=, label=, id=; of one task TASK.text=",
    )  # fmt: skip
    parser.add_argument(
        "--on-bad-rows", choices=["error", "skip"], default="error",
        help="stop at a row that cannot be read, or leave it out and count it",
    )  # fmt: skip


def _model_name(text: str) -> str:
    """A folder or a Hub id as it stands, if the system can look it up."""
    existing_or_new(text)
    return text


def mapped_columns(options: argparse.Namespace, command: str, then: str) -> dict[str, str]:
    """`--columns` as a mapping; arguments that it has swallowed go where they belong.

    Args:
        options: of the command line; its `source` and what `then` names may be filled in.
        command: its name.
        then: the positional argument after the model.

    Raises:
        UserError: a column is none of those that there are, or the model is missing.
    """
    found: dict[str, str] = {}
    for part in options.columns:
        which, separator, name = part.partition("=")
        if separator and which.rpartition(".")[2] in _COLUMNS and name:
            found[which] = name
        elif options.source is None:
            options.source = part
        elif not separator and getattr(options, then) is None:
            setattr(options, then, part)
        else:
            raise UserError(
                f"--columns: found {shown(part)}, expected WHICH=COLUMN with one of "
                f"{', '.join(_COLUMNS)}, as in text=body"
            )
    if options.source is None:
        raise UserError(f"{command}: no model; give a run, a model folder or a Hub id")
    return found


def asked_tasks(
    tasks: Mapping[str, TaskSettings],
    names: Sequence[str] | None,
    left_out: Mapping[str, str] | None = None,
) -> dict[str, TaskSettings]:
    """The tasks that `--task` names, or all that have a head of their own.

    Args:
        tasks: that are known, by name.
        names: what is asked for; None: all.
        left_out: why others are not answered, by name.

    Raises:
        UserError: no such task.
    """
    if names is None:
        return {name: task for name, task in tasks.items() if task.uses is None}
    for name in names:
        if left_out is not None and name in left_out:
            raise UserError(f"task {name}: {left_out[name]}; the models cannot answer it together")
        if name not in tasks:
            raise UserError(f"--task: found {name!r}, expected one of {', '.join(tasks)}")
    return {name: tasks[name] for name in names}


def reading_columns(
    tasks: Mapping[str, TaskSettings], columns: Mapping[str, str]
) -> dict[str, TaskSettings]:
    """The tasks, reading the columns that `--columns` names; those of one task go before.

    Raises:
        UserError: a column is mapped for a task that there is not.
    """
    every = {which: name for which, name in columns.items() if "." not in which}
    own: dict[str, dict[str, str]] = {}
    for which, name in columns.items():
        task, dot, key = which.rpartition(".")
        if dot and task not in tasks:
            raise UserError(
                f"--columns: {shown(which)}: no task {task!r} here, expected one of "
                f"{', '.join(tasks)}"
            )
        if dot:
            own.setdefault(task, {})[key] = name
    return {name: task.reading(every | own.get(name, {})) for name, task in tasks.items()}
