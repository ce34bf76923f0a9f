"""Settings completed from the data: classes that a configuration does not name."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mtbert.config.labels import canonical_names, look_of, says_nothing
from mtbert.config.load import parse_settings
from mtbert.config.settings import Settings
from mtbert.config.targets import TargetKind
from mtbert.config.tasks import TaskSettings
from mtbert.data.cache import Cache, content_key, open_cache
from mtbert.data.class_names import names_in
from mtbert.data.examples import label_texts
from mtbert.data.label_lists import list_names
from mtbert.data.readers.table import open_table, read_table
from mtbert.data.sources import Source, form_of, locate, paths_of, source_digest
from mtbert.errors import UserError, problem_list, shown
from mtbert.version import __version__

__all__ = ["MAX_CLASSES", "completed"]

MAX_CLASSES = 500
"""Classes that are taken from a file; more have to be named."""
_FEW = 20
"""Up to as many different labels are classes however few rows they have."""

_log = logging.getLogger(__name__)


def completed(settings: Settings) -> Settings:
    """The settings with the classes of every task named, read from the training files if need be.

    A run, its plan, and a check of its data start from these; `config.yaml` holds them. Settings
    that name everything are returned as they are, and no file is read.

    Raises:
        UserError: a file cannot be read or holds no classes, or the settings do not fit them.
    """
    found = {
        name: names
        for name, task in settings.trained_tasks.items()
        if _may_lack_names(task) and (names := _found_names(settings, name)) is not None
    }
    found |= {
        name: owner
        for name, task in settings.tasks.items()
        if task.uses is not None and task.labels is None
        # its owner's are found, or given
        if (owner := found.get(task.uses, settings.tasks[task.uses].labels)) is not None
    }
    if not found:
        return settings
    tree = settings.written()
    for name, names in found.items():
        tree["tasks"][name]["labels"] = names
    return parse_settings(tree, "with the labels of the training files")


def _may_lack_names(task: TaskSettings) -> bool:
    return task.labels_unknown or (
        task.kind is TargetKind.PAIR_CLASSIFICATION and task.labels is None
    )


def _found_names(settings: Settings, name: str) -> tuple[str, ...] | None:
    """The classes in a task's training file; None where its kind's default fits them."""
    task = settings.tasks[name]
    assert task.train is not None
    try:
        path = locate(settings, task.train)
        names = _cached_names(path, task, open_cache(settings.data.cache))
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    if task.kind is TargetKind.PAIR_CLASSIFICATION and {*names} <= {"0", "1"}:
        return None
    _log.info("task %s: %d labels in %s: %s", name, len(names), path, _listed(names))
    by_look = Counter(map(look_of, names))
    if alike := [n for n in names if by_look[look_of(n)] > 1]:
        _log.warning(
            "task %s: labels that differ in case only, or in spaces or characters that cannot be "
            "seen, are different classes: %s",
            name,
            _listed(alike),
        )
    return names


def _cached_names(path: Source, task: TaskSettings, cache: Cache | None) -> tuple[str, ...]:
    if cache is None or (digest := source_digest(path)) is None:
        return _read_names(path, task)
    key = content_key(
        {
            "labels of": digest,
            "version": __version__,
            "names": form_of(path),  # .jsonl tells the format
            "task": task.model_dump(
                mode="json", include={"kind", "columns", "format", "label_separator"}
            ),
        }
    )
    if (arrays := cache.get(key)) is not None:
        return tuple(json.loads(arrays["names"].tobytes()))
    names = _read_names(path, task)
    if source_digest(path) == digest:  # else it changed while it was read
        cache.put(key, {"names": np.frombuffer(json.dumps(names).encode(), np.uint8)})
    return names


def _read_names(path: Source, task: TaskSettings) -> tuple[str, ...]:
    """The classes that a file's label column holds.

    Raises:
        UserError: it holds fewer than two, or so many that it can hardly be one of classes.
    """
    problems: list[str] = []
    counts: Counter[str] = Counter()
    for file in paths_of(path):
        with open_table(file) as stream:
            table = read_table(stream, str(file), task.format)
            if (named := names_in(table, task)) is not None:
                return named
            found = label_texts(table, task, problems)
            counts.update(text for text in found if not says_nothing(text))
    where, rows = f"{path}: column {shown(task.columns.label)}", counts.total()
    names = canonical_names(counts)
    if task.kind.is_multilabel:
        try:
            names = tuple(list_names(counts, task.label_separator))
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
    if not names and problems:
        raise UserError(problem_list(f"{where} holds no label that can be read", problems))
    if not names:
        raise UserError(f"{where} holds no label; name the classes in `labels`, or map the column")
    if len(names) > MAX_CLASSES or (len(names) > _FEW and 2 * len(names) > rows):
        raise UserError(
            f"{where} holds {len(names)} different labels in {rows} rows ({_listed(names)}); is it "
            "another column, or a number to predict (`kind: regression`)? Classes that are so many "
            "or so rare must be named in `labels`"
        )
    if len(names) == 1 and task.kind is TargetKind.CLASSIFICATION:
        raise UserError(
            f"{where} holds one label alone, {shown(names[0])}; a classification needs two; name "
            "all classes in `labels` if the file lacks one"
        )
    return names


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:6])) + (", …" if len(names) > 6 else "")
