"""Tables → tasks that can be trained, as a configuration's tree and what is said about it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mtbert.config.labels import canonical_names
from mtbert.data.guess.columns import TableProfile, profile_table
from mtbert.data.guess.files import TableFiles
from mtbert.data.guess.roles import Roles, roles_of
from mtbert.data.guess.targets import Target, target_of
from mtbert.data.guess.words import CLASS_WORDS, words_of
from mtbert.errors import UserError

__all__ = ["ProposedTable", "ProposedTask", "propose"]

_DEV_SHARE = "10%"
_FEWEST = 4
_FLAGS = 4
"""Columns of 0 and 1 from which on they are the labels of one task and not a task each."""


@dataclass(slots=True)
class ProposedTask:
    """A task.

    Attributes:
        name: unique.
        fields: keys of its section of the configuration, as plain values.
        target: what is predicted.
    """

    name: str
    fields: dict[str, Any]
    target: Target


@dataclass(slots=True)
class ProposedTable:
    """What becomes of one table.

    Attributes:
        files: of the table.
        profile: of its training file.
        roles: of its columns.
        tasks: at least one.
        notes: what else is to be said.
    """

    files: TableFiles
    profile: TableProfile
    roles: Roles
    tasks: list[ProposedTask] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def propose(tables: Sequence[TableFiles], folder: Path) -> list[ProposedTable]:
    """The tasks of all tables.

    Args:
        tables: their files.
        folder: that names of files start from.

    Raises:
        UserError: a table cannot be read, or has no texts or nothing to learn.
    """
    found = [_read(files) for files in tables]
    taken: set[str] = set()
    for table in found:
        for columns, target in _labels_of(table):
            names = _names(table, columns, target)
            name = next(n for n in (*names, *_numbered(names[-1])) if n not in taken)
            taken.add(name)
            table.tasks.append(ProposedTask(name, _fields(table, columns, target, folder), target))
    return found


def _read(files: TableFiles) -> ProposedTable:
    """Look at the train file, and whether the others have its columns."""
    profile = profile_table(files.train)
    roles = roles_of(profile)
    seen = ", ".join(f"{name!r} {why}" for name, why in roles.left_out.items())
    columns = ", ".join(map(repr, profile.columns))
    if profile.rows < _FEWEST:
        raise UserError(
            f"{files.train}: {profile.rows} rows that can be read, expected {_FEWEST} at least, "
            "some of each class"
        )
    if not roles.texts:
        raise UserError(
            f"{files.train}: no column of texts found among {columns or 'no columns'}"
            f"{f': {seen}' if seen else ''}; expected a column of sentences"
        )
    if not roles.targets:
        raise UserError(
            f"{files.train}: no column of labels found among {columns}"
            f"{f': {seen}' if seen else ''}; expected a column of few classes, of numbers, or of "
            "lists of labels"
        )
    table = ProposedTable(files, profile, roles)
    texts = [*roles.texts, *([] if roles.title is None else [roles.title])]
    dev = _usable(table, files.dev, [*texts, *roles.targets])
    test = _usable(table, files.test, texts)
    table.files = TableFiles(
        files.name, files.train, files.dev if dev else None, files.test if test else None
    )
    for other in (dev, test):
        column = None if other is None or roles.id is None else other.columns.get(roles.id)
        if other is not None and (column is None or column.distinct < other.rows):
            roles.id = None
    if dev is not None:
        for name, target in roles.targets.items():
            roles.targets[name] = _with_classes_of(target, table, dev, name)
    return table


def _usable(table: ProposedTable, path: Path | None, columns: Sequence[str]) -> TableProfile | None:
    """Another file of the table, unless it lacks one of these columns."""
    if path is None:
        return None
    form = table.profile.form
    header = form is None or form.header
    try:
        found = profile_table(path, None if header else form)
    except UserError as error:
        table.notes.append(f"not used: {error}")
        return None
    missing = [name for name in columns if name not in found.columns]
    blank = [name for name in columns if name not in missing and not found.columns[name].filled]
    if missing or blank:
        what = f"no column {missing[0]!r}" if missing else f"column {blank[0]!r} is empty"
        table.notes.append(f"not used: {path}: {what}")
        return None
    return found


def _with_classes_of(
    target: Target, table: ProposedTable, dev: TableProfile, column: str
) -> Target:
    """The target with classes that only the dev file has, and without limits that it breaks."""
    other, rows = dev.columns[column], dev.rows
    if target.kind == "regression":
        if target.range is not None and not (
            target.range[0] <= other.low and other.high <= target.range[1]
        ):
            target = replace(target, range=None)
        return target
    found = target_of(other, rows)
    if found is None or found.kind != target.kind:
        return target
    more = [name for name in found.counts if name not in target.counts]
    if not more:
        return target
    table.notes.append(
        f"column {column!r}: the train file has no example of {', '.join(map(repr, more[:6]))}"
    )
    counts = {name: target.counts.get(name, 0) for name in canonical_names([*target.counts, *more])}
    return replace(target, counts=counts)


def _labels_of(table: ProposedTable) -> list[tuple[tuple[str, ...], Target]]:
    """The columns of each task, and what it predicts."""
    targets = table.roles.targets
    flags = [
        name for name, target in targets.items()
        if {*target.counts} == {"0", "1"} and target.kind == "classification"
        and table.profile.columns[name].filled == table.profile.rows
    ]  # fmt: skip
    if len(flags) < _FLAGS:
        return [((name,), target) for name, target in targets.items()]
    counts = {name: targets[name].counts["1"] for name in flags}
    together = Target("multilabel_classification", counts, doubt="a task for each of the columns")
    rest = [((name,), target) for name, target in targets.items() if name not in flags]
    return [(tuple(flags), together), *rest]


def _fields(
    table: ProposedTable, columns: tuple[str, ...], target: Target, folder: Path
) -> dict[str, Any]:
    pair = len(table.roles.texts) == 2
    fields: dict[str, Any] = {"kind": f"pair_{target.kind}" if pair else target.kind}
    files = table.files
    fields["train"] = _relative(files.train, folder)
    fields["dev"] = _DEV_SHARE if files.dev is None else _relative(files.dev, folder)
    if files.test is not None:
        fields["test"] = _relative(files.test, folder)
    mapped: dict[str, Any] = dict(zip(("text", "text2"), table.roles.texts, strict=False))
    if table.roles.title is not None:
        mapped["text"] = [table.roles.title, table.roles.texts[0]]
    mapped |= {"label": columns[0]} if len(columns) == 1 else {"labels": list(columns)}
    if table.roles.id is not None:
        mapped["id"] = table.roles.id
    elif "id" in table.profile.columns:
        mapped["id"] = False
    fields["columns"] = mapped
    if form := _written(table.profile, target):
        fields["format"] = form
    if target.counts and len(columns) == 1:
        fields["labels"] = list(target.counts)
    if target.separator is not None:
        fields["label_separator"] = target.separator
    if target.range is not None:
        fields["range"] = [_plain(limit) for limit in target.range]
    return fields


def _written(profile: TableProfile, target: Target) -> dict[str, Any]:
    """What must be said of how the files are written: all that the files do not show."""
    found: dict[str, Any] = {}
    if profile.form is not None and not profile.form.header:
        found |= {"header": False, "separator": profile.form.separator}
    if profile.form is not None and profile.form.encoding != "utf-8":
        found["encoding"] = profile.form.encoding
    if target.decimal_comma:
        found["decimal"] = "comma"
    return found


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _relative(file: Path, folder: Path) -> str:
    """The name of a file from a folder, which it lies in or below; else its whole path."""
    path, start = os.path.realpath(file), os.path.realpath(folder)
    inside = path.startswith(start.rstrip(os.sep) + os.sep)
    return Path(os.path.relpath(path, start)).as_posix() if inside else path


def _names(table: ProposedTable, columns: tuple[str, ...], target: Target) -> list[str]:
    """What a task may be called, the best first: as its column, unless that is called `label`."""
    of_table, of_column = _slug(table.files.name), _slug(columns[0])
    says_nothing = len(columns) > 1 or not of_column or words_of(columns[0]) <= CLASS_WORDS
    kind = "topics" if target.kind.startswith("multi") else "task"
    if says_nothing and of_column not in ("sentiment", "emotion", "intent", "topic", "genre"):
        both = f"{of_table}_{of_column}" if of_table and of_column and len(columns) == 1 else ""
        return [name for name in (of_table, both) if name] or [kind]
    both = f"{of_table}_{of_column}" if of_table else ""
    return [name for name in (of_column, both) if name]


def _numbered(name: str) -> list[str]:
    return [f"{name}{number}" for number in range(2, 1000)]


def _slug(text: str) -> str:
    """A name of a task made of a name of a column or a file; empty if nothing of it can stand."""
    latin = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", latin).strip("_").lower()
    return re.sub(r"^[^a-z]+", "", words)[:48]
