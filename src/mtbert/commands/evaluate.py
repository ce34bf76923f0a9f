"""`mtbert evaluate`: scores of a model on a split of its run's data, or on a labelled file."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbert.commands.base import add_json, check_not_read, file_to_write, json_text, looked_up
from mtbert.commands.source import add_source, asked_tasks, mapped_columns, reading_columns
from mtbert.errors import UserError

if TYPE_CHECKING:
    from mtbert.config.files import Files
    from mtbert.config.settings import Settings
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.sources import Source
    from mtbert.inference.ensemble import Ensemble
    from mtbert.inference.evaluate import EvaluationSet
    from mtbert.inference.evaluation_file import LabelledFile

__all__ = ["HELP", "Scored", "add_arguments", "evaluate_file", "evaluate_run", "run"]

HELP = "scores of a model: on a run's own data, or on a labelled file"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of a file, and the predictions they were made of.

    Attributes:
        scores: as `evaluate --json` prints them.
        predictions: rows (id, gold, prediction, …) by task.
    """

    scores: dict[str, Any]
    predictions: dict[str, list[dict[str, Any]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source(parser)
    parser.set_defaults(places=("source", "file"))
    parser.add_argument(
        "file", nargs="?", metavar="FILE",
        help="a labelled CSV, TSV or JSONL file (default: a split of the run's own data)",
    )  # fmt: skip
    parser.add_argument("--split", choices=["train", "dev", "test"], help="default: dev")
    parser.add_argument(
        "--output", type=file_to_write, metavar="FILE",
        help="also write the predictions for FILE: .jsonl, .csv or .tsv",
    )  # fmt: skip
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Print the scores as a table, or as JSON."""
    from mtbert.io.output import STANDARD

    columns = mapped_columns(options, "evaluate", "file")
    if options.file is None:
        if columns or options.output is not None or options.on_bad_rows == "skip":
            raise UserError(
                "evaluate: --columns, --output and --on-bad-rows belong to a FILE; without one "
                "the run's own data are scored as its config.yaml says"
            )
        scores = evaluate_run(
            looked_up(options.source), options.split or "dev", options.task, options.others
        )
    elif options.split is not None:
        raise UserError("evaluate: found a file and --split, expected one of them")
    else:
        if options.output is not None:
            if options.output == STANDARD:
                raise UserError("--output -: the scores go to standard output; name a file")
            check_not_read(options.output, options.file)
        found = evaluate_file(
            options.source, looked_up(options.file), options.task, columns,
            skip_bad_rows=options.on_bad_rows == "skip", others=options.others,
        )  # fmt: skip
        scores = found.scores
        if options.output is not None:
            _write(found.predictions, options.output)
    from mtbert.reports.tables import scores_table

    print(json_text(scores) if options.json else scores_table(scores))


def evaluate_run(
    path: Path, split: str, names: Sequence[str] | None = None, others: Sequence[str] = ()
) -> dict[str, Any]:
    """Metrics of a run's best model on a split of its own data.

    Args:
        path: the run.
        split: train, dev or test.
        names: tasks; None: all.
        others: further models that answer together with it.

    Raises:
        UserError: no finished run, or the data cannot be used (a test file may have no labels).
    """
    from mtbert.data.cache import open_cache
    from mtbert.data.sources import locate
    from mtbert.data.tasks import read_set
    from mtbert.inference.ensemble import Ensemble
    from mtbert.inference.evaluate import EvaluationSet
    from mtbert.inference.evaluation_file import run_files
    from mtbert.inference.saved_run import load_model, load_run
    from mtbert.io.bounded import is_file

    if not is_file(path / "config.yaml"):
        raise UserError(
            f"{path}: not a run folder, no config.yaml in it; a model alone has no data of its "
            "own: give a labelled file to score, mtbert evaluate MODEL FILE"
        )
    settings, model = load_run(path)
    cache = open_cache(settings.data.cache)
    together = Ensemble([model, *map(load_model, others)], [str(path), *others])
    common = {n: task for n, task in settings.tasks.items() if n in together.task_settings}
    chosen = common if names is None else asked_tasks(common, names, together.left_out)
    sets, files = [], []
    for name, task in chosen.items():
        for position, labelled in enumerate(run_files(settings, name, _split_files(task, split))):
            if split == "test":
                _refuse_hidden(locate(settings, labelled.file), {name: task})
            parts = []
            for each, encoded in together.readings(name, task):
                reading = _reading(settings, name, encoded, each.max_length)
                found = read_set(reading, name, labelled.file, each.tokenizer, cache=cache)
                parts.append(
                    EvaluationSet(name, labelled.set_name, found.ids, found.inputs, position == 0)
                )
            sets.append(parts)
            files.append(labelled)
    if not sets:
        raise UserError(f"{path}: no task has a {split} file")
    return _score(together, sets, split, files).scores


def _reading(settings: Settings, name: str, task: TaskSettings, max_length: int) -> Settings:
    """The settings of a run, with a task and the longest sequence as another model has them."""
    encoder = settings.encoder.model_copy(update={"max_length": max_length})
    return settings.model_copy(update={"encoder": encoder, "tasks": settings.tasks | {name: task}})


def evaluate_file(
    source: str | Path,
    file: Path,
    names: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    skip_bad_rows: bool = False,
    others: Sequence[str] = (),
) -> Scored:
    """Metrics of a model on a labelled file: of every task whose columns and labels it has.

    Rows without a label of a task are left out of its scores and counted.

    Args:
        source: a run, a model folder or a Hub id.
        file: CSV, TSV or JSONL.
        names: tasks; None: all that have a head of their own.
        columns: `--columns`, see `source.reading_columns`.
        skip_bad_rows: leave out rows that cannot be read.
        others: further models that answer together with it.

    Raises:
        UserError: no such model or task, no labels, or bad rows.
    """
    from mtbert.data.bad_rows import told
    from mtbert.data.cache import file_digest
    from mtbert.data.datasets import load_data_set
    from mtbert.data.inputs import format_of_other_files
    from mtbert.inference.ensemble import Ensemble
    from mtbert.inference.evaluate import EvaluationSet
    from mtbert.inference.evaluation_file import LabelledFile
    from mtbert.inference.saved_run import load_model
    from mtbert.runs.provenance import tasks_trained_on

    sources = [str(source), *others]
    together = Ensemble([load_model(name) for name in sources], sources)
    digest = file_digest(file)
    learned = {name for path in (source, *others) for name in tasks_trained_on(Path(path), digest)}
    tasks = reading_columns(
        asked_tasks(together.task_settings, names, together.left_out), columns or {}
    )
    written = {"format": format_of_other_files(tasks)}
    tasks = {name: task.model_copy(update=written) for name, task in tasks.items()}
    tasks = _labelled(file, tasks, required=names is not None)
    sets, files = [], []
    for name, task in tasks.items():
        bad_rows = {"on_bad_rows": "skip" if skip_bad_rows else "error"}
        try:
            read = [
                load_data_set(
                    file, encoded.model_copy(update=bad_rows), each.tokenizer, each.max_length,
                    blank_is_unlabelled=True,
                )
                for each, encoded in together.readings(name, task)
            ]  # fmt: skip
        except UserError as error:
            raise UserError(_by_option(f"task {name}: {error}")) from None
        if name in learned:
            _log.warning(
                "task %s: %s is the file that it was trained on; scores on rows that were learned "
                "say little of new ones",
                name, file,
            )  # fmt: skip
        found = read[0]
        left = found.left_out
        for line in told(left.problems):
            _log.warning("task %s: skipped: %s", name, line)
        _log.info(
            "task %s: %d rows scored, %d bad and skipped, %d without a label, %d too long and cut",
            name, len(found), len(left.problems), left.unlabelled, found.inputs.truncated,
        )  # fmt: skip
        sets.append([EvaluationSet(name, "file", part.ids, part.inputs) for part in read])
        files.append(LabelledFile(name, task, path=file, blank_is_unlabelled=True))
    return _score(together, sets, "file", files)


def _score(
    together: Ensemble,
    sets: Sequence[Sequence[EvaluationSet]],
    split: str,
    files: Sequence[LabelledFile],
) -> Scored:
    from mtbert.inference.evaluation_file import describe_files

    scores = together.evaluate(sets)
    told = {
        "split": split,
        split: scores.dev,
        "others": scores.others,
        "overall": scores.overall,
        "mean": scores.mean,
        "details": {
            name: found.model_dump(mode="json")
            for name, found in describe_files(files, scores.predictions).items()
        },
    }
    return Scored(told, scores.predictions)


def _labelled(
    file: Path, tasks: Mapping[str, TaskSettings], *, required: bool
) -> dict[str, TaskSettings]:
    """The tasks whose texts and labels a file has.

    Raises:
        UserError: there are none, or one that was asked for is not among them.
    """
    from mtbert.data.inputs import columns_of, tasks_that_fit

    columns = columns_of(file, next(iter(tasks.values())).format)
    fit = tasks_that_fit(str(file), columns, tasks)
    scored = {n: tasks[n] for n in fit if set(tasks[n].label_columns) <= set(columns)}
    for name, task in tasks.items():
        if name in scored:
            continue
        if name not in fit:
            missing = [c for c in task.text_columns if c not in columns]
        else:
            missing = [c for c in task.label_columns if c not in columns]
        told = f"{file}: no column {missing[0]!r}, found {', '.join(map(repr, columns))}"
        if required or not scored:
            which = "text" if name not in fit else "label"
            raise UserError(
                f"task {name}: {told}; say which one it is by --columns {which}=COLUMN, or answer "
                "rows without labels by mtbert predict"
            )
        _log.info("task %s is left out: %s", name, told)
    _refuse_hidden(file, scored)
    return scored


def _refuse_hidden(file: Source, tasks: Mapping[str, TaskSettings]) -> None:
    """Refuse a file that has no labels for any of the tasks.

    Raises:
        UserError: says that they are hidden, and what to do.
    """
    from mtbert.data.inputs import columns_of, hides_labels
    from mtbert.data.sources import paths_of

    for name, task in tasks.items():
        if all(
            set(task.label_columns) <= set(columns_of(path, task.format))
            and hides_labels(path, task)
            for path in paths_of(file)
        ):
            raise UserError(
                f"task {name}: {file}: no labels to score by: all of them are blank or -1, as in "
                "a test file whose labels are hidden; answer it by mtbert predict"
            )


def _by_option(message: str) -> str:
    """The advice that a message ends with, as an option of the command."""
    return message.replace("on_bad_rows: skip", "--on-bad-rows skip")


def _write(predictions: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Rows as in a run's prediction files; of several tasks each names its own first."""
    import csv

    from mtbert.inference.answer_files import JsonRows, check_answer_file
    from mtbert.io.output import output_to

    check_answer_file(path)
    rows: list[dict[str, Any]] = [
        {**({"task": task} if len(predictions) > 1 else {}), **row}
        for task, found in predictions.items()
        for row in found
    ]
    with output_to(path) as stream:
        if path.suffix.lower() not in (".csv", ".tsv"):
            lines = JsonRows(path)
            stream.writelines(lines.line(row) for row in rows)
            stream.write(lines.end())
            return
        columns = [c for c in dict.fromkeys(k for row in rows for k in row) if c != "probabilities"]
        delimiter = "," if path.suffix.lower() == ".csv" else "\t"
        table = csv.DictWriter(
            stream, columns, delimiter=delimiter, lineterminator="\n", extrasaction="ignore"
        )
        table.writeheader()
        table.writerows(rows)


def _split_files(task: TaskSettings, split: str) -> dict[str, Files]:
    """Files of a split by name of the set."""
    if split == "dev":
        return task.dev_files
    file = task.train if split == "train" else task.test
    return {} if file is None else {split: file}
