"""`mtbert evaluate`: scores of a finished run's best model on a split of its data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbert.commands.base import add_json, existing_or_new, json_text
from mtbert.errors import UserError

if TYPE_CHECKING:
    from mtbert.config.tasks import TaskSettings

__all__ = ["HELP", "add_arguments", "evaluate_run", "run"]

HELP = "scores of the best model of a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=existing_or_new, metavar="RUN")
    parser.add_argument("--split", default="dev", choices=["train", "dev", "test"])
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Print the scores as a table, or as JSON."""
    from mtbert.reports.tables import scores_table

    scores = evaluate_run(options.run_folder, options.split)
    print(json_text(scores) if options.json else scores_table(scores))


def evaluate_run(path: Path, split: str) -> dict[str, Any]:
    """Metrics of a run's best model on a split of its own data.

    Raises:
        UserError: no finished run, or the data cannot be used (a test file may have no labels).
    """
    from mtbert.config.tasks import predictions_name
    from mtbert.data.cache import open_cache
    from mtbert.data.tasks import read_set
    from mtbert.inference.evaluate import EvaluationSet, evaluate
    from mtbert.inference.evaluation_file import LabelledFile, describe_files
    from mtbert.inference.saved_run import load_run

    settings, model = load_run(path)
    cache = open_cache(settings.data.cache)
    sets, files = [], []
    for name, task in settings.tasks.items():
        for position, (set_name, file) in enumerate(_split_files(task, split).items()):
            found = read_set(settings, name, file, model.tokenizer, cache=cache)
            selects = position == 0
            sets.append(EvaluationSet(name, set_name, found.ids, found.inputs, selects))
            shown = name if selects else f"{name}/{set_name}"
            predictions = predictions_name(name, set_name, selects=selects)
            files.append(LabelledFile(shown, name, file, predictions))
    if not sets:
        raise UserError(f"{path}: no task has a {split} file")
    scores = evaluate(model.network, sets)
    return {
        "split": split,
        split: scores.dev,
        "others": scores.others,
        "overall": scores.overall,
        "mean": scores.mean,
        "details": {
            name: found.model_dump(mode="json")
            for name, found in describe_files(settings, files, scores.predictions).items()
        },
    }


def _split_files(task: TaskSettings, split: str) -> dict[str, str]:
    """Files of a split by name of the set."""
    if split == "dev":
        return task.dev_files
    file = task.train if split == "train" else task.test
    return {} if file is None else {split: file}
