"""`mtbert data check`: counts, label balance, lengths and problems of data files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from mtbert.config.load import data_file, load_config
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.datasets import DataSet, load_data_set
from mtbert.data.leaks import leaked
from mtbert.data.readers.files import open_table, read_table
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import SHOWN_PROBLEMS
from mtbert.model.hub import locate

__all__ = ["check_config", "check_file"]

_LENGTH_EDGES = (16, 32, 64, 128, 256, 512)


def check_config(source: str, overrides: Sequence[str] = ()) -> tuple[str, bool]:
    """Check every file of a configuration.

    Returns:
        The report, and whether every row can be used or the task says to skip.

    Raises:
        UserError: the configuration is wrong, or a file cannot be read at all.
    """
    settings = load_config(source, overrides)
    tokenizer = Tokenizer.from_folder(locate(settings.encoder.path, settings.encoder.revision))
    parts, clean = [], True
    for name, task in settings.tasks.items():
        lenient = task.model_copy(update={"on_bad_rows": "skip"})
        train: DataSet | None = None
        for set_name, file in _named_files(task).items():
            path = data_file(settings, file)
            found = load_data_set(
                path, lenient, tokenizer, settings.encoder.max_length, labelled=set_name != "test"
            )
            parts.append(_describe(f"{name} {set_name}", settings, task, found))
            clean &= not found.left_out.problems or task.on_bad_rows == "skip"
            if set_name == "train":
                train = found
            elif train is not None and (leaks := len(leaked(train.keys, found.keys))):
                parts.append(f"  {leaks} of these stand in train too")
    return "\n".join(parts), clean


def check_file(path: Path) -> tuple[str, bool]:
    """Check the form of a file without knowing its task.

    Returns:
        The report, and whether every row can be read.

    Raises:
        UserError: the file cannot be read at all.
    """
    with open_table(path) as stream:
        table = read_table(stream, str(path))
        count, problems = 0, []
        columns: Counter[str] = Counter()
        for row in table.rows:
            count += 1
            if row.problem is not None:
                problems.append(f"{path}:{row.line}: {row.problem}")
            columns.update(key for key, value in row.values.items() if key and not value.strip())
    names = ", ".join(c for c in table.columns if c) if table.columns else "JSONL"
    lines = [f"{path}: {count} rows, columns: {names}"]
    lines += [f"  {number} blank in column {name!r}" for name, number in columns.items()]
    return "\n".join(lines + _problem_lines(problems)), not problems


def _named_files(task: TaskSettings) -> dict[str, str]:
    files = {"train": task.train, **task.dev_files, "test": task.test}
    return {name: file for name, file in files.items() if file is not None}


def _describe(title: str, settings: Settings, task: TaskSettings, found: DataSet) -> str:
    inputs, problems = found.inputs, found.left_out.problems
    lengths = inputs.lengths
    lines = [
        f"{title}: {found.path}",
        f"  {len(found)} examples, {len(problems)} bad rows",
        f"  tokens: mean {lengths.mean():.1f}, longest {lengths.max()}, {inputs.truncated} "
        f"truncated to {settings.encoder.max_length}",
        _table(_length_histogram(lengths)),
    ]
    if not np.isnan(inputs.labels).all():
        lines.append(_table(_label_histogram(task, inputs.labels)))
    return "\n".join(lines + _problem_lines(problems))


def _table(rows: list[tuple[str, int]]) -> str:
    total = max(1, sum(count for _, count in rows))
    body = [(name, count, f"{count / total:.1%}") for name, count in rows]
    text = tabulate(
        body, tablefmt="plain", disable_numparse=True, colalign=("left", "right", "right")
    )
    return "\n".join(f"    {line}" for line in text.splitlines())


def _length_histogram(lengths: NDArray[np.int64]) -> list[tuple[str, int]]:
    rows, low = [], 1
    for edge in (*_LENGTH_EDGES, None):
        high = edge or np.inf
        count = int(((lengths >= low) & (lengths <= high)).sum())
        if count:
            rows.append((f"{low} to {edge} tokens" if edge else f"{low} tokens or more", count))
        low = (edge or 0) + 1
    return rows


def _label_histogram(task: TaskSettings, labels: NDArray[np.float64]) -> list[tuple[str, int]]:
    if task.kind.is_classification:
        return [(name, int((labels == i).sum())) for i, name in enumerate(task.class_names)]
    low, high = task.range or (labels.min(), labels.max())
    edges = np.unique(np.linspace(low, high, 6))  # of labels that are almost equal, fewer
    if len(edges) == 1:
        return [(f"label {low:g}", len(labels))]
    counts, edges = np.histogram(labels, bins=edges)
    return [
        (f"label {low:g} to {high:g}", int(count))
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]


def _problem_lines(problems: Sequence[str]) -> list[str]:
    lines = [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  … {len(problems)} in all")
    return lines
