"""`mtbert leaderboard`: the course's six prediction files, each task by its best run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mtbert.commands.base import existing_or_new
from mtbert.errors import UserError, problem_list

if TYPE_CHECKING:
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.examples import ExampleSet

__all__ = ["HELP", "add_arguments", "run", "write_leaderboard"]

HELP = "the course's six prediction files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folders", type=existing_or_new, nargs="+", metavar="RUN-or-STUDY")
    parser.add_argument(
        "--data", type=existing_or_new, required=True, help="the course's data folder"
    )
    parser.add_argument("--output", type=existing_or_new, required=True)


def run(options: argparse.Namespace) -> None:
    """Write the files; print where each came from."""
    for line in write_leaderboard(options.run_folders, options.data, options.output):
        print(line)


def write_leaderboard(runs: Sequence[Path], data: Path, output: Path) -> list[str]:
    """Write the six files, each task from the run that does best on its dev set.

    Args:
        runs: run folders; a study's folder stands for the runs whose models it kept.
        data: the course's folder.
        output: where the files go.

    Returns:
        A line for each file: where it came from, rows, rows left out; and the overall score.

    Raises:
        UserError: a run or data file is missing, or no run has one of the tasks.
    """
    from mtbert.inference.leaderboard import LEADERBOARD, write_predictions
    from mtbert.inference.metrics import overall_score
    from mtbert.inference.predict import predict_stream
    from mtbert.inference.saved_run import load_run

    owners = _best_runs(runs)
    for task in LEADERBOARD.values():
        for file in (task.dev, task.test):
            if not (data / file).is_file():
                raise UserError(f"{data / file}: no such file; --data names the course's folder")
    loaded = {path: load_run(path) for path in {path for _, path in owners.values()}}
    examples = {
        (name, split): _examples(
            data / getattr(LEADERBOARD[name], split), loaded[path][0].tasks[name], split
        )
        for name, (_, path) in owners.items()
        for split in ("dev", "test")
    }
    lines = []
    for name, (score, path) in owners.items():
        model = loaded[path][1]
        for split in ("dev", "test"):
            found = examples[name, split]
            if model.network.tasks[name].kind.is_multilabel:
                raise UserError(
                    f"{path}: task {name} gives any number of labels, the leaderboard one a row"
                )
            answers = predict_stream(
                model.network, name, found.examples, model.tokenizer, model.max_length
            )
            target = output / f"{name}-{split}-output.csv"
            count = write_predictions(
                target, LEADERBOARD[name], ((e.id, cast(float, a.value)) for e, a in answers)
            )
            bad = len(found.left_out.problems)
            left_out = f", {bad} bad rows left out" if bad else ""
            lines.append(f"{target}: {count} rows from {path} (dev {score:.4f}){left_out}")
    overall = overall_score({name: score for name, (score, _) in owners.items()})
    return [*lines, f"overall on dev: {overall:.4f}"]


def _best_runs(runs: Sequence[Path]) -> dict[str, tuple[float, Path]]:
    """The best score of each task, and the run that has it."""
    from mtbert.inference.leaderboard import LEADERBOARD

    folders = [folder for path in runs for folder in _run_folders(path)]
    owners = {}
    for name in LEADERBOARD:
        scored = [
            (score, path) for path in folders if (score := _dev_score(path, name)) is not None
        ]
        if not scored:
            raise UserError(f"leaderboard: none of the runs has the task {name!r}")
        owners[name] = max(scored, key=lambda pair: pair[0])
    return owners


def _run_folders(path: Path) -> list[Path]:
    from mtbert.studies.folder import is_study, kept_models

    return list(dict.fromkeys(r for *_, r in kept_models(path))) if is_study(path) else [path]


def _examples(file: Path, task: TaskSettings, split: str) -> ExampleSet:
    """Bad dev rows are left out; of a test file every row must be answered."""
    from mtbert.data.examples import read_examples

    lenient = task.model_copy(update={"on_bad_rows": "skip"})
    found = read_examples(file, lenient, labelled=split == "dev")
    if split == "test" and found.left_out.problems:
        raise UserError(problem_list(str(file), found.left_out.problems))
    return found


def _dev_score(path: Path, task: str) -> float | None:
    from mtbert.runs.folder import read_summary
    from mtbert.runs.scores import main_score

    metrics = read_summary(path)["dev"].get(task)
    return (main_score(metrics) or 0.0) if metrics else None
