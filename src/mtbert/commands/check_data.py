"""`mtbert data check`: counts, label balance, lengths and problems of data files."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.errors import SHOWN_PROBLEMS, UserError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtbert.config.settings import Settings
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.datasets import DataSet

__all__ = ["HELP", "add_arguments", "check_config", "check_file", "run"]

HELP = "read, validate, count; problems by line"

_LENGTH_EDGES = (16, 32, 64, 128, 256, 512)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", nargs="+", metavar="CONFIG-or-FILES")
    parser.add_argument("--set", dest="override", action="append", default=[], metavar="KEY=VALUE")


def run(options: argparse.Namespace) -> None:
    """Print what the files hold.

    Raises:
        UserError: at the end, if a row cannot be used.
    """
    first = options.source[0]
    if len(options.source) == 1 and (first.endswith((".yaml", ".yml")) or "." not in first):
        text, all_clean = check_config(first, options.override)
        print(printable(text))
    else:
        all_clean = True
        for source in options.source:
            text, clean = check_file(Path(source))
            all_clean &= clean
            print(printable(text))
    if not all_clean:
        raise UserError("there are bad rows; mend them, or leave them out with on_bad_rows: skip")


def check_config(source: str, overrides: Sequence[str] = ()) -> tuple[str, bool]:
    """Check every file of a configuration.

    Returns:
        The report, and whether every row can be used or the task says to skip.

    Raises:
        UserError: the configuration is wrong, or a file cannot be read at all.
    """
    from mtbert.config.automatic import FEW_PAIRS, with_pair_forms
    from mtbert.config.load import load_config
    from mtbert.data.leaks import leaked
    from mtbert.data.tasks import count_examples, read_set, skipping_bad_rows
    from mtbert.data.tokenizer import Tokenizer
    from mtbert.model.hub import locate

    settings = load_config(source, overrides)
    settings = with_pair_forms(settings, partial(count_examples, settings, most=FEW_PAIRS))
    lenient = skipping_bad_rows(settings)
    tokenizer = Tokenizer.from_folder(locate(settings.encoder.path, settings.encoder.revision))
    parts, clean = [], True
    for name, task in settings.tasks.items():
        train: DataSet | None = None
        for set_name, file in _named_files(task).items():
            labelled = set_name != "test"
            found = read_set(lenient, name, file, tokenizer, cache=None, labelled=labelled)
            parts.append(_describe(f"{name} {set_name}", settings, task, found))
            clean &= not found.left_out.problems or task.on_bad_rows == "skip"
            if set_name == "train":
                train = found
            elif train is not None and (leaks := len(leaked(train.keys, found.keys))):
                parts.append(f"  {leaks} of these are also in train")
    return "\n".join(parts), clean


def check_file(path: Path) -> tuple[str, bool]:
    """Check the form of a file without knowing its task.

    Returns:
        The report, and whether every row can be read.

    Raises:
        UserError: the file cannot be read at all.
    """
    from mtbert.data.readers.table import open_table, read_table

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
    import numpy as np

    inputs, problems = found.inputs, found.left_out.problems
    lengths = inputs.lengths
    unlabelled = found.left_out.unlabelled
    other_tasks = f", {unlabelled} rows of other tasks (no label)" if unlabelled else ""
    lines = [
        f"{title}: {found.path}",
        f"  {len(found)} examples, {len(problems)} bad rows{other_tasks}",
        f"  tokens: mean {lengths.mean():.1f}, longest {lengths.max()}, {inputs.truncated} "
        f"truncated to {_room(settings, task)}",
        _table(_length_histogram(lengths)),
    ]
    if not np.isnan(inputs.labels).all():
        lines.append(_table(_label_histogram(task, inputs.labels), len(found)))
    return "\n".join(lines + _problem_lines(problems))


def _room(settings: Settings, task: TaskSettings) -> str:
    """The tokens of an example that are encoded."""
    length = settings.encoder.max_length
    modes = {
        "head": f"{length}",
        "head_tail": f"{length}, their beginning and end",
        "windows": f"{task.window_limit} windows of {length}",
    }
    return modes[task.long_texts]


def _table(rows: list[tuple[str, int]], total: int | None = None) -> str:
    """Counts with their shares of the total, by default of their sum."""
    from tabulate import tabulate

    total = max(1, sum(count for _, count in rows)) if total is None else total
    body = [(name, count, f"{count / total:.1%}") for name, count in rows]
    text = tabulate(
        body, tablefmt="plain", disable_numparse=True, colalign=("left", "right", "right")
    )
    return "\n".join(f"    {line}" for line in text.splitlines())


def _length_histogram(lengths: NDArray[np.int64]) -> list[tuple[str, int]]:
    rows, low = [], 1
    for edge in (*_LENGTH_EDGES, None):
        high = edge or math.inf
        count = int(((lengths >= low) & (lengths <= high)).sum())
        if count:
            rows.append((f"{low} to {edge} tokens" if edge else f"{low} tokens or more", count))
        low = (edge or 0) + 1
    return rows


def _label_histogram(task: TaskSettings, labels: NDArray[np.float64]) -> list[tuple[str, int]]:
    import numpy as np

    if task.kind.is_multilabel:
        none = int((labels == 0).all(axis=1).sum())
        given = zip(task.class_names, labels.sum(axis=0).tolist(), strict=True)
        return [*((name, int(count)) for name, count in given), ("(none)", none)]
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
