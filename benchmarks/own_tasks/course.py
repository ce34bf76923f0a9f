"""The course's three tasks with few rows: what the defaults do on data that we did not write.

Its files are no part of the repository; without them this data set has no rows and is not measured.
"""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.common import data_in_use, training_file
from benchmarks.own_tasks.table import DataSet, Table
from mtbert.data.readers.table import open_table, read_table

__all__ = ["course"]

_TRAIN, _DEV, _TEST = 400, 300, 300
_PAIR = {"text": "sentence1", "text2": "sentence2"}
_TASKS: dict[str, dict[str, Any]] = {
    "sst": {
        "kind": "classification",
        "columns": {"text": "sentence", "label": "sentiment"},
        "labels": ["0", "1", "2", "3", "4"],
    },
    "para": {
        "kind": "pair_classification",
        "columns": _PAIR | {"label": "is_duplicate"},
        "labels": ["0", "1"],
    },
    "sts": {
        "kind": "pair_regression",
        "columns": _PAIR | {"label": "similarity"},
        "range": [0, 5],
    },
}


def course(random: Random) -> DataSet:
    """Rows of the course's training files to train on; of its dev files to select and to test."""
    tables = {
        name: Table(name, "csv", _rows(name, task["columns"], random), _DEV, _TEST)
        for name, task in _TASKS.items()
    }
    return DataSet(
        "course",
        f"the course's files, {_TRAIN} training rows of each: sentiment of 5; paraphrase or not; "
        "similarity 0 to 5",
        tables,
        _TASKS,
        {name: name for name in _TASKS},
    )


def _rows(task: str, columns: dict[str, str], random: Random) -> list[dict[str, Any]]:
    """Random rows that have a label: first those of the training file, then of the dev file."""
    path, _ = training_file(task)
    if data_in_use()["found"] == "packaged":
        return []
    dev = path.with_name(path.name.replace("train", "dev"))
    chosen = []
    for file, count in ((path, _TRAIN), (dev, _DEV + _TEST)):
        with open_table(file) as stream:
            rows = [row.values for row in read_table(stream, file.name).rows if not row.problem]
        labelled = [row for row in rows if row[columns["label"]].strip()]
        chosen += [
            {column: row[column] for column in columns.values()}
            for row in random.sample(labelled, count)
        ]
    return chosen
