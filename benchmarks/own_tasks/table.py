"""The data sets: tables as strangers have them, and the tasks in them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

__all__ = ["DataSet", "Table", "write"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """One table, to be cut into a train, a dev and a test file.

    Attributes:
        name: of its files.
        kind: `csv`, `tsv` or `jsonl`.
        rows: all of them, in random order; a blank label means that the row has none. None at
            all where the data are not at hand.
        dev: rows of the dev file, and
        test: of the test file; the first ones are those of the train file.
        separator: between the fields of a `csv`.
    """

    name: str
    kind: str
    rows: Sequence[Row]
    dev: int
    test: int
    separator: str = ","

    def file(self, part: str) -> str:
        """The name of one of its files."""
        return f"{self.name}-{part}.{self.kind}"

    def part(self, part: str) -> Sequence[Row]:
        """The rows of one of its files."""
        cut = len(self.rows) - self.dev - self.test
        ends = {"train": (0, cut), "dev": (cut, cut + self.dev), "test": (cut + self.dev, None)}
        start, end = ends[part]
        return self.rows[start:end]

    def test_labels(self, column: str) -> int:
        """Test rows with a label; without the data, all of them."""
        if not self.rows:
            return self.test
        return sum(row[column] != "" for row in self.part("test"))


@dataclass(frozen=True)
class DataSet:
    """A stranger's job.

    Attributes:
        name: of the data set.
        about: one line.
        tables: its files.
        tasks: entries of a configuration, by name, without their files.
        of_table: in which table each task's labels stand, by task.
        options: keys of reading that the files of a task need, by task.
    """

    name: str
    about: str
    tables: Mapping[str, Table]
    tasks: Mapping[str, Mapping[str, Any]]
    of_table: Mapping[str, str]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def configuration(self, folder: Path, *tasks: str) -> dict[str, Any]:
        """A configuration that names files and columns alone, of these tasks or of all.

        The test file stands beside the dev file, as a second dev set: it selects nothing.
        """
        chosen = {}
        for name in tasks or self.tasks:
            table = self.tables[self.of_table[name]]
            chosen[name] = {
                **self.tasks[name],
                **self.options.get(name, {}),
                "train": table.file("train"),
                "dev": {"dev": table.file("dev"), "test": table.file("test")},
            }
        return {"data": {"dir": str(folder)}, "tasks": chosen}


def write(data: DataSet, folder: Path) -> None:
    """Write the files of a data set into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in data.tables.values():
        for part in ("train", "dev", "test"):
            _write(folder / table.file(part), table, table.part(part))


def _write(path: Path, table: Table, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        if table.kind == "jsonl":
            for row in rows:
                given = {key: value for key, value in row.items() if value != ""}
                stream.write(json.dumps(given, ensure_ascii=False) + "\n")
            return
        separator = "\t" if table.kind == "tsv" else table.separator
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=separator, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def shuffled(rows: list[dict[str, Any]], random: Random) -> list[dict[str, Any]]:
    """The rows in random order."""
    return random.sample(rows, len(rows))
