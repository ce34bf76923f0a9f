"""Files that are given without a word → tables, each with its train, dev and test file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbert.errors import UserError
from mtbert.io.paths import is_file, is_folder

__all__ = ["TableFiles", "data_files", "grouped"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Names of files that are taken from a folder."""
_PARTS = {
    "train": "train", "training": "train", "trn": "train",
    "dev": "dev", "devel": "dev", "val": "dev", "valid": "dev", "validation": "dev", "eval": "dev",
    "test": "test", "tst": "test", "testing": "test",
}  # fmt: skip
"""Words in the names of files that say which part of the data they are."""


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of one table.

    Attributes:
        name: what their names have in common, or that of their folder.
        train: the rows that are learned from.
        dev: named so, or None.
        test: named so, or None.
    """

    name: str
    train: Path
    dev: Path | None = None
    test: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """Those that there are."""
        return tuple(file for file in (self.train, self.dev, self.test) if file is not None)


def data_files(given: Sequence[Path]) -> list[Path]:
    """Files, and those in folders, each once.

    Raises:
        UserError: one is not there, or a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in given:
        if is_folder(path):
            inside = sorted(
                file for file in path.iterdir()
                if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            )  # fmt: skip
            if not inside:
                raise UserError(
                    f"{path}: no data files in this folder, expected names ending in "
                    f"{', '.join(SUFFIXES)}"
                )
            found |= dict.fromkeys(inside)
        elif is_file(path):
            found[path] = None
        else:
            raise UserError(f"{path}: no such file or folder")
    return list(found)


def grouped(files: Sequence[Path]) -> tuple[list[TableFiles], list[Path]]:
    """The tables that the names of files tell, and files that belong to none of them.

    Raises:
        UserError: two files are the same part of one table, or none is to train on.
    """
    tables: dict[tuple[Path, str], dict[str, Path]] = {}
    for file in files:
        base, part = _split_name(file)
        parts = tables.setdefault((file.parent, base), {})
        if part in parts:
            raise UserError(
                f"{file} and {parts[part]}: both are taken for the {part} file of one table; give "
                "one of them"
            )
        parts[part] = file
    _join_the_rest(tables)
    found: list[TableFiles] = []
    unused: list[Path] = []
    for (folder, base), parts in tables.items():
        if "train" not in parts:
            unused += parts.values()
            continue
        name = base or folder.resolve().name
        found.append(TableFiles(name, parts["train"], parts.get("dev"), parts.get("test")))
    if not found:
        raise UserError(
            f"{', '.join(map(str, unused))}: nothing to train on; give the file of labelled rows "
            "too"
        )
    return found, unused


def _split_name(file: Path) -> tuple[str, str]:
    """What the name of a file has in common with its table's others, and which part it is."""
    stem = file.name[: -len(file.suffix)] if file.suffix else file.name
    pieces = re.split(r"([-_. ]+)", stem)
    for place in range(len(pieces) - 1, -1, -1):
        if part := _PARTS.get(pieces[place].lower()):
            rest = pieces[: max(0, place - 1)] + pieces[place + 1 if place else place + 2 :]
            return "".join(rest).strip("-_. "), part
    return stem, "train"


def _join_the_rest(tables: dict[tuple[Path, str], dict[str, Path]]) -> None:
    """A dev or test file that shares its name with no other belongs to the only table there is.

    Or to the one whose name its own begins with. A file that is given alone is to train on.
    """
    lone = [key for key, parts in tables.items() if "train" not in parts]
    whole = [key for key, parts in tables.items() if "train" in parts]
    for key in lone:
        folder, name = key
        owners = [o for o in whole if o[0] == folder and name.startswith(o[1]) and o[1]]
        owners = sorted(owners, key=lambda o: len(o[1]))[-1:] or (whole if len(whole) == 1 else [])
        if owners and not tables[key].keys() & tables[owners[0]].keys():
            tables[owners[0]] |= tables.pop(key)
    if not whole and len(lone) == 1 and len(tables[lone[0]]) == 1:
        ((_, file),) = tables[lone[0]].items()
        tables[lone[0]] = {"train": file}
