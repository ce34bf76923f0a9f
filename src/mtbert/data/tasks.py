"""The data sets of each task, and examples that leak from one into another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from mtbert.config.files import Files, names_of
from mtbert.config.hub_names import is_hub
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.bad_rows import told
from mtbert.data.cache import Cache, open_cache
from mtbert.data.checks import empty_classes, only_value, some
from mtbert.data.datasets import DataSet, load_data_set
from mtbert.data.examples import LeftOut, iterate_examples
from mtbert.data.held_out import file_of, rows_of
from mtbert.data.leaks import leaked
from mtbert.data.sources import locate, paths_of
from mtbert.data.tokenizer import Tokenizer
from mtbert.data.unknown import tell_unknown
from mtbert.errors import UserError
from mtbert.io.paths import is_file

__all__ = ["TaskData", "count_examples", "load_tasks", "read_set", "skipping_bad_rows"]

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


def read_set(
    settings: Settings,
    name: str,
    file: Files,
    tokenizer: Tokenizer,
    *,
    cache: Cache | None,
    labelled: bool = True,
) -> DataSet:
    """One file as a task reads it; in a file of several tasks a blank label is no mistake.

    A share (`10%`) is the rows of the training file that are held out; the training file is then
    the others.

    Args:
        settings: of the run.
        name: of the task.
        file: one of the task's, as the settings name it.
        tokenizer: of the encoder.
        cache: None to read the file in any case.
        labelled: False for files to predict: labels are not looked at.

    Raises:
        UserError: as `read_examples`; names the task.
    """
    try:
        rows, whole = rows_of(settings, name, file), file_of(settings.tasks[name], file)
        return load_data_set(
            locate(settings, whole), settings.tasks[name], tokenizer,
            settings.encoder.max_length, cache=cache, labelled=labelled,
            blank_is_unlabelled=settings.shares_file(whole), rows=rows,
        )  # fmt: skip
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None


def count_examples(settings: Settings, name: str, most: int) -> int:
    """Training examples of a task, counted no further than `most`.

    A file that cannot be used counts as large: what is wrong is said when it is read.
    """
    task = settings.tasks[name]
    assert task.train is not None
    try:
        examples = iterate_examples(
            locate(settings, task.train), task, LeftOut(),
            blank_is_unlabelled=settings.shares_file(task.train),
        )  # fmt: skip
        rows = rows_of(settings, name, task.train)
        return sum(1 for _ in islice(examples if rows is None else rows.of(examples), most))
    except UserError:
        return most


def skipping_bad_rows(settings: Settings) -> Settings:
    """The same settings, but every task leaves bad rows out and counts them."""
    tasks = {
        name: task.model_copy(update={"on_bad_rows": "skip"})
        for name, task in settings.tasks.items()
    }
    return settings.model_copy(update={"tasks": tasks})


def load_tasks(settings: Settings, tokenizer: Tokenizer) -> dict[str, TaskData]:
    """Read every task's files; what was left out or leaks is logged.

    A test file is looked at for leaks only, and only if it is there.

    Raises:
        UserError: the first file that cannot be used.
    """
    cache = open_cache(settings.data.cache)
    result = {}
    for name, task in settings.tasks.items():
        read = partial(read_set, settings, name, tokenizer=tokenizer, cache=cache)
        train = None if task.train is None else read(task.train)
        dev = {set_name: read(file) for set_name, file in task.dev_files.items()}
        for found in (*([] if train is None else [train]), *dev.values()):
            _log_left_out(name, found, _columns_in_use(settings))
            tell_unknown(name, found, tokenizer)
        _log_missing_labels(name, task, train, dev)
        leaks = {}
        if train is not None:
            test = _test_set(settings, name, tokenizer, cache)
            leaks = _leaks(name, train, dev | test)
        result[name] = TaskData(train, dev, leaks)
    return result


def _is_there(settings: Settings, files: Files) -> bool:
    """Whether every file of a set is there; a pattern may match none."""
    names = names_of(files)
    if settings.data.dir is None and not all(
        is_hub(name) or Path(name).is_absolute() for name in names
    ):
        return False
    try:
        return all(is_file(path) for path in paths_of(locate(settings, files)))
    except UserError:
        return False


def _columns_in_use(settings: Settings) -> set[str]:
    """Columns that some task reads; in a file of several tasks they are not unused."""
    columns = (task.columns for task in settings.tasks.values())
    texts = (task.text_columns for task in settings.tasks.values())
    named = ([c.id, c.label, *(c.labels or ())] for c in columns)
    return {name for names in (*named, *texts) for name in names if isinstance(name, str)}


def _log_left_out(name: str, found: DataSet, in_use: set[str]) -> None:
    left_out = found.left_out
    for line in told(left_out.problems):
        _log.warning("task %s: skipped: %s", name, line)
    if left_out.unlabelled:
        _log.info("task %s: %s: %d rows not labelled", name, found.path, left_out.unlabelled)
    if unused := [column for column in left_out.unused_columns if column not in in_use]:
        _log.info("task %s: %s: unused columns: %s", name, found.path, ", ".join(unused))


def _log_missing_labels(
    name: str, task: TaskSettings, train: DataSet | None, dev: Mapping[str, DataSet]
) -> None:
    if train is not None and (names := empty_classes(task, train.inputs.labels)):
        _log.warning("task %s: no training example of %s: it cannot learn this", name, some(names))
    if train is not None and (value := only_value(task, train.inputs.labels)) is not None:
        _log.warning("task %s: every training label is %g: nothing can be learned", name, value)
    for set_name, part in dev.items():
        if names := empty_classes(task, part.inputs.labels):
            _log.warning("task %s: no row in %s of %s: no score tells", name, set_name, some(names))


def _test_set(
    settings: Settings, name: str, tokenizer: Tokenizer, cache: Cache | None
) -> dict[str, DataSet]:
    """The task's test set, if its file is there."""
    file = settings.tasks[name].test
    if file is None or not _is_there(settings, file):
        return {}
    lenient = skipping_bad_rows(settings)
    return {"test": read_set(lenient, name, file, tokenizer, cache=cache, labelled=False)}


def _leaks(name: str, train: DataSet, sets: dict[str, DataSet]) -> dict[str, int]:
    """How many examples of each set are also in train; they are logged."""
    counts = {}
    for set_name, part in sets.items():
        found = leaked(train.keys, part.keys)
        counts[set_name] = len(found)
        if len(found):
            ids = ", ".join(part.ids[i] for i in found[:5]) + (", …" if len(found) > 5 else "")
            _log.warning(
                "task %s: %d of %d %s examples are also in train: %s",
                name, len(found), len(part), set_name, ids,
            )  # fmt: skip
    return counts
