"""`mtbert data check`: counts, label balance, lengths and problems of data files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.errors import UserError, printable
from mtbert.io.paths import is_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtbert.config.files import Files
    from mtbert.config.settings import Settings
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.datasets import DataSet
    from mtbert.data.file_profile import FileProfile

__all__ = ["HELP", "add_arguments", "check_config", "check_files", "run"]

HELP = "read, validate, count; problems by line"

_LENGTH_EDGES = (16, 32, 64, 128, 256, 512)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", nargs="+", metavar="CONFIG-or-FILES")
    parser.add_argument("--set", dest="override", action="append", default=[], metavar="KEY=VALUE")


def run(options: argparse.Namespace) -> None:
    """Print what the files hold.

    Raises:
        UserError: at the end, if `train` would refuse them.
    """
    first = options.source[0]
    if len(options.source) == 1 and _is_config(first):
        text, clean = check_config(first, options.override)
        print(printable(text))
        if not clean:
            raise UserError(
                "train would refuse these data; mend them, or leave bad rows out with "
                "on_bad_rows: skip"
            )
        return
    if options.override:
        raise UserError("data check: --set belongs to a configuration, found files")
    text, clean = check_files([Path(source) for source in options.source])
    print(printable(text))
    if not clean:
        raise UserError("there are bad rows; mend them, or leave them out with on_bad_rows: skip")


def _is_config(source: str) -> bool:
    """Whether an argument is a configuration; any other file holds data, whatever its name."""
    if source.endswith((".yaml", ".yml")):
        return True
    return not is_file(Path(source)) and "." not in source


def check_config(source: str, overrides: Sequence[str] = ()) -> tuple[str, bool]:
    """Check every file of a configuration, as `train` reads it.

    Returns:
        The report, and whether `train` would take the files: all of a test file may be bad.

    Raises:
        UserError: the configuration is wrong, or the encoder cannot be used.
    """
    from mtbert.config.automatic import FEW_PAIRS, with_pair_forms
    from mtbert.config.load import load_config
    from mtbert.data.checks import remarks, shared_with_other_tasks
    from mtbert.data.completion import completed
    from mtbert.data.tasks import count_examples, read_set, skipping_bad_rows
    from mtbert.data.tokenizer import Tokenizer
    from mtbert.model.compatibility import check_compatible, fit_length
    from mtbert.model.encoders.config import read_config
    from mtbert.model.hub import locate

    settings = completed(load_config(source, overrides))
    folder = locate(settings.encoder.path, settings.encoder.revision)
    config, tokenizer = read_config(folder / "config.json"), Tokenizer.from_folder(folder)
    count = partial(count_examples, settings, most=FEW_PAIRS)
    settings = fit_length(with_pair_forms(settings, count, segments=config.type_vocab_size), config)
    check_compatible(
        config,
        settings.tasks,
        max_length=settings.encoder.max_length,
        vocabulary_size=tokenizer.vocabulary_size,
        source=settings.encoder.path,
    )
    lenient = skipping_bad_rows(settings)
    parts, clean = [], True
    sets: dict[str, dict[str, DataSet]] = {name: {} for name in settings.tasks}
    for name, task in settings.tasks.items():
        for set_name, file in _named_files(task).items():
            title, needed = f"{name} {set_name}", set_name != "test"
            try:
                found = read_set(lenient, name, file, tokenizer, cache=None, labelled=needed)
            except UserError as error:
                told = str(error).replace("\n", "\n  ")
                parts.append(f"{title}: cannot be used\n  {told}")
                clean &= not needed
                continue
            parts.append(_describe(title, settings, task, found))
            train = sets[name].get("train")
            odd = remarks(task, set_name, found, tokenizer, train)
            parts += [f"  {line}" for line in odd]
            if needed:
                clean &= not found.left_out.problems or task.on_bad_rows == "skip"
            sets[name][set_name] = found
    parts += shared_with_other_tasks(sets)
    return "\n".join(parts), clean


def check_files(paths: Sequence[Path]) -> tuple[str, bool]:
    """Check the form of files without knowing their task, and what they share.

    Returns:
        The report, and whether every row can be read.

    Raises:
        UserError: a file cannot be read at all.
    """
    from mtbert.data.file_profile import profile, texts_in_both

    found = [profile(path) for path in paths]
    lines = [line for file in found for line in _profile_lines(file)]
    for position, second in enumerate(found):
        for first in found[:position]:
            if number := texts_in_both(first, second):
                lines.append(f"{second.path}: {number} texts are also in {first.path}")
    return "\n".join(lines), not any(file.problems for file in found)


def _profile_lines(found: FileProfile) -> list[str]:
    names = ", ".join(c for c in found.columns if c) if found.columns else "JSONL"
    lines = [f"{found.path}: {found.rows} rows, columns: {names}"]
    lines += [f"  {number} blank in column {name!r}" for name, number in found.blanks.items()]
    if found.repeats:
        columns = " and ".join(map(repr, found.text_columns))
        lines.append(f"  {found.repeats} rows repeat the text of another one ({columns})")
    lines += [
        f"  {number} texts occur with different values in column {name!r}"
        for name, number in found.clashes.items()
    ]
    return lines + _problem_lines(found.problems)


def _named_files(task: TaskSettings) -> dict[str, Files]:
    files = {"train": task.train, **task.dev_files, "test": task.test}
    return {name: file for name, file in files.items() if file is not None}


def _describe(title: str, settings: Settings, task: TaskSettings, found: DataSet) -> str:
    import numpy as np

    from mtbert.data.bad_rows import likely_cause

    inputs, problems = found.inputs, found.left_out.problems
    lengths = inputs.lengths
    unlabelled = found.left_out.unlabelled
    other_tasks = f", {unlabelled} rows of other tasks (no label)" if unlabelled else ""
    examples = "1 example" if len(found) == 1 else f"{len(found)} examples"
    lines = [
        f"{title}: {found.path}",
        f"  {examples}, {len(problems)} bad rows{other_tasks}",
        f"  tokens: mean {lengths.mean():.1f}, longest {lengths.max()}, {inputs.truncated} "
        f"truncated to {_room(settings, task)}",
        _table(_length_histogram(lengths)),
    ]
    if not np.isnan(inputs.labels).all():
        lines.append(_table(_label_histogram(task, inputs.labels), len(found)))
    lines += _problem_lines(problems)
    if cause := likely_cause(problems, len(found) + len(problems) + unlabelled, task):
        lines.append(f"  likely cause: {cause}")
    return "\n".join(lines)


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
    from mtbert.data.bad_rows import told

    return [f"  {line}" for line in told(problems)]
