"""A task's files → its training and evaluation examples, checked against each other."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mtbert.config import data_file
from mtbert.data.examples import ExampleSet, read_examples
from mtbert.data.leaks import leaked
from mtbert.errors import UserError
from mtbert.settings import Settings

__all__ = ["TaskData", "load_tasks"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TaskData:
    """The examples of one task.

    Attributes:
        train: None for a task that is only evaluated.
        dev: by name of the set; the first one selects the best epoch.
        leaks: evaluation examples that stand in train, by name of the set (and `test`).
    """

    train: ExampleSet | None
    dev: dict[str, ExampleSet]
    leaks: dict[str, int]


def load_tasks(settings: Settings) -> dict[str, TaskData]:
    """Read every task's files; what was left out or leaks is logged.

    A test file is looked at for leaks only, and only if it is there.

    Raises:
        UserError: the first file that cannot be used.
    """
    uses = Counter(
        file for task in settings.tasks.values() for file in _files(task.train, task.dev_files)
    )
    result = {}
    for name, task in settings.tasks.items():

        def read(file: str, name: str = name) -> ExampleSet:
            task = settings.tasks[name]
            try:
                found = read_examples(
                    data_file(settings, file), task, blank_is_unlabelled=uses[file] > 1
                )
            except UserError as error:
                raise UserError(f"task {name}: {error}") from None
            _log_left_out(name, found)
            return found

        train = read(task.train) if task.train is not None else None
        dev = {set_name: read(file) for set_name, file in task.dev_files.items()}
        result[name] = TaskData(train, dev, _leaks(settings, name, train, dev))
    return result


def _files(train: str | None, dev: dict[str, str]) -> set[str]:
    return {*([train] if train else []), *dev.values()}


def _log_left_out(name: str, found: ExampleSet) -> None:
    for problem in found.problems[:10]:
        _log.warning("task %s: skipped: %s", name, problem)
    if len(found.problems) > 10:
        _log.warning("task %s: … skipped %d rows in all", name, len(found.problems))
    if found.unlabelled:
        _log.info("task %s: %s: %d rows not labelled", name, found.path, found.unlabelled)
    if found.unused_columns:
        _log.info(
            "task %s: %s: unused columns: %s", name, found.path, ", ".join(found.unused_columns)
        )


def _leaks(
    settings: Settings, name: str, train: ExampleSet | None, dev: dict[str, ExampleSet]
) -> dict[str, int]:
    if train is None:
        return {}
    task = settings.tasks[name]
    sets = {set_name: found.examples for set_name, found in dev.items()}
    known = task.test is not None and (settings.data.dir or Path(task.test).is_absolute())
    if known and task.test is not None and (path := data_file(settings, task.test)).is_file():
        lenient = task.model_copy(update={"on_bad_rows": "skip"})
        sets["test"] = read_examples(path, lenient, labelled=False).examples
    counts = {}
    for set_name, examples in sets.items():
        found = leaked(train.examples, examples)
        counts[set_name] = len(found)
        if found:
            shown = ", ".join(e.id for e in found[:5]) + (", …" if len(found) > 5 else "")
            _log.warning(
                "task %s: %d of %d %s examples stand in train too: %s",
                name, len(found), len(examples), set_name, shown,
            )  # fmt: skip
    return counts
