"""A task's files → its training and evaluation examples, checked against each other."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mtbert.config.load import data_file
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.cache import open_cache
from mtbert.data.datasets import DataSet, load_data_set
from mtbert.data.leaks import leaked
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError

__all__ = ["TaskData", "load_tasks"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TaskData:
    """The data sets of one task.

    Attributes:
        train: None for a task that is only evaluated.
        dev: by name of the set; the first one selects the best epoch.
        leaks: evaluation examples that stand in train, by name of the set (and `test`).
    """

    train: DataSet | None
    dev: dict[str, DataSet]
    leaks: dict[str, int]


class _Reader:
    """Reads files as one run's settings say."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer) -> None:
        self.settings, self.tokenizer = settings, tokenizer
        self.cache = open_cache(settings.data.cache)
        self.uses = Counter(
            file for task in settings.tasks.values() for file in _files(task.train, task.dev_files)
        )

    def read(self, name: str, task: TaskSettings, file: str, *, labelled: bool = True) -> DataSet:
        try:
            return load_data_set(
                data_file(self.settings, file), task, self.tokenizer,
                self.settings.encoder.max_length, cache=self.cache, labelled=labelled,
                blank_is_unlabelled=self.uses[file] > 1,
            )  # fmt: skip
        except UserError as error:
            raise UserError(f"task {name}: {error}") from None


def load_tasks(settings: Settings, tokenizer: Tokenizer) -> dict[str, TaskData]:
    """Read every task's files; what was left out or leaks is logged.

    A test file is looked at for leaks only, and only if it is there.

    Raises:
        UserError: the first file that cannot be used.
    """
    reader = _Reader(settings, tokenizer)
    result = {}
    for name, task in settings.tasks.items():
        train = None if task.train is None else reader.read(name, task, task.train)
        dev = {set_name: reader.read(name, task, file) for set_name, file in task.dev_files.items()}
        for found in (*([train] if train else []), *dev.values()):
            _log_left_out(name, found)
        result[name] = TaskData(train, dev, _leaks(reader, name, train, dev))
    return result


def _files(train: str | None, dev: dict[str, str]) -> set[str]:
    return {*([train] if train else []), *dev.values()}


def _log_left_out(name: str, found: DataSet) -> None:
    left_out = found.left_out
    for problem in left_out.problems[:10]:
        _log.warning("task %s: skipped: %s", name, problem)
    if len(left_out.problems) > 10:
        _log.warning("task %s: … skipped %d rows in all", name, len(left_out.problems))
    if left_out.unlabelled:
        _log.info("task %s: %s: %d rows not labelled", name, found.path, left_out.unlabelled)
    if left_out.unused_columns:
        unused = ", ".join(left_out.unused_columns)
        _log.info("task %s: %s: unused columns: %s", name, found.path, unused)


def _leaks(
    reader: _Reader, name: str, train: DataSet | None, dev: dict[str, DataSet]
) -> dict[str, int]:
    if train is None:
        return {}
    settings, task = reader.settings, reader.settings.tasks[name]
    sets = dict(dev)
    known = task.test is not None and (settings.data.dir or Path(task.test).is_absolute())
    if known and task.test is not None and data_file(settings, task.test).is_file():
        lenient = task.model_copy(update={"on_bad_rows": "skip"})
        sets["test"] = reader.read(name, lenient, task.test, labelled=False)
    counts = {}
    for set_name, part in sets.items():
        found = leaked(train.keys, part.keys)
        counts[set_name] = len(found)
        if len(found):
            shown = ", ".join(part.ids[i] for i in found[:5]) + (", …" if len(found) > 5 else "")
            _log.warning(
                "task %s: %d of %d %s examples stand in train too: %s",
                name, len(found), len(part), set_name, shown,
            )  # fmt: skip
    return counts
