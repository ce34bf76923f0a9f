"""What is done with a finished run: evaluate it, predict with it, write leaderboard files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from mtbert.config.load import data_file
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.cache import open_cache
from mtbert.data.datasets import load_data_set
from mtbert.data.examples import Example, ExampleSet, parse_rows, read_examples
from mtbert.data.readers.files import open_table, read_table
from mtbert.errors import UserError, problem_list
from mtbert.hardware.device import compute_dtype, resolve_device
from mtbert.inference.evaluate import EvaluationSet, evaluate
from mtbert.inference.leaderboard import LEADERBOARD, write_predictions
from mtbert.inference.metrics import overall_score
from mtbert.inference.model import MultitaskModel
from mtbert.inference.predict import predict_stream
from mtbert.io import atomic
from mtbert.runs.folder import read_run, read_summary
from mtbert.studies.folder import is_study, kept_models

__all__ = ["evaluate_run", "predict_file", "write_leaderboard"]

_FORM = ("kind", "class_names", "loss_name", "range", "head", "features", "pair_encoding")
"""What a head was made for."""


def evaluate_run(path: Path, split: str) -> dict[str, Any]:
    """Metrics of a run's best model on a split of its own data.

    Raises:
        UserError: no finished run, or the data cannot be used (a test file may have no labels).
    """
    settings, model = _load(path)
    cache = open_cache(settings.data.cache)
    sets = []
    for name, task in settings.tasks.items():
        for position, (set_name, file) in enumerate(_split_files(task, split).items()):
            found = load_data_set(
                data_file(settings, file), task, model.tokenizer, model.max_length, cache=cache
            )
            sets.append(EvaluationSet(name, set_name, found.ids, found.inputs, position == 0))
    if not sets:
        raise UserError(f"{path}: no task has a {split} file")
    scores = evaluate(model.network, sets)
    return {
        "split": split,
        split: scores.dev,
        "others": scores.others,
        "overall": scores.overall,
        "mean": scores.mean,
    }


def predict_file(path: Path, task: str, source: str, output: Path | None) -> None:
    """Stream predictions for a file (`-`: standard input) as JSONL, in constant memory.

    Written to standard output, or to a file that appears when it is complete. Bad rows stop the
    command at their line; nothing half-written is left.

    Raises:
        UserError: no such run or task, or a bad row.
    """
    settings, model = _load(path)
    if task not in settings.tasks:
        raise UserError(f"--task: found {task!r}, expected one of {', '.join(settings.tasks)}")
    name = "standard input" if source == "-" else source
    with (
        nullcontext(sys.stdin.buffer) if source == "-" else open_table(Path(source)) as stream,
        nullcontext(sys.stdout) if output is None else atomic.new_file(output) as target,
    ):
        examples = _examples(stream, name, settings.tasks[task])
        for example, prediction in predict_stream(
            model.network, task, examples, model.tokenizer, model.max_length
        ):
            row = {"id": example.id, **prediction.as_json()}
            target.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_leaderboard(runs: Sequence[Path], data: Path, output: Path) -> list[str]:
    """Write the six files, each task from the run that does it best on dev.

    Args:
        runs: run folders; a study's folder stands for the runs whose models it kept.
        data: the course's folder.
        output: where the files go.

    Returns:
        A line for each file: where it came from, rows, rows left out; and the overall score.

    Raises:
        UserError: a run or data file is missing, or no run has one of the tasks.
    """
    owners = {}
    folders = [folder for path in runs for folder in _run_folders(path)]
    for name in LEADERBOARD:
        scored = [
            (score, path) for path in folders if (score := _dev_score(path, name)) is not None
        ]
        if not scored:
            raise UserError(f"leaderboard: none of the runs has the task {name!r}")
        owners[name] = max(scored, key=lambda pair: pair[0])
    for task in LEADERBOARD.values():
        for file in (task.dev, task.test):
            if not (data / file).is_file():
                raise UserError(f"{data / file}: no such file; --data names the course's folder")
    loaded = {path: _load(path) for path in {path for _, path in owners.values()}}
    examples = {
        (name, split): _leaderboard_examples(
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
            answers = predict_stream(
                model.network, name, found.examples, model.tokenizer, model.max_length
            )
            target = output / f"{name}-{split}-output.csv"
            count = write_predictions(
                target, LEADERBOARD[name], ((e.id, answer.value) for e, answer in answers)
            )
            bad = len(found.left_out.problems)
            left_out = f", {bad} bad rows left out" if bad else ""
            lines.append(f"{target}: {count} rows from {path} (dev {score:.4f}){left_out}")
    overall = overall_score({name: score for name, (score, _) in owners.items()})
    return [*lines, f"overall on dev: {overall:.4f}"]


def _run_folders(path: Path) -> list[Path]:
    return list(dict.fromkeys(r for *_, r in kept_models(path))) if is_study(path) else [path]


def _load(path: Path) -> tuple[Settings, MultitaskModel]:
    settings, folder = read_run(path)
    device = resolve_device(settings)
    model = MultitaskModel.from_pretrained(folder, device=str(device))
    for name, task in settings.trained_tasks.items():
        kept = model.network.tasks.get(name)
        if kept is None or any(getattr(kept, key) != getattr(task, key) for key in _FORM):
            raise UserError(f"{path}: the model has no head for the task {name} of config.yaml")
    # The numbers that the run was trained and scored in, so that scores are the same again.
    model.network.encoder.compute_dtype = compute_dtype(settings.training.precision, device)
    for name, task in settings.tasks.items():
        model.network.tasks.setdefault(
            name, task
        )  # evaluation-only tasks have no head of their own
    return settings, model


def _split_files(task: TaskSettings, split: str) -> dict[str, str]:
    if split == "dev":
        return task.dev_files
    file = task.train if split == "train" else task.test
    return {} if file is None else {split: file}


def _examples(stream: BinaryIO, name: str, task: TaskSettings) -> Iterator[Example]:
    for example in parse_rows(read_table(stream, name), task, labelled=False):
        if isinstance(example, str):
            raise UserError(f"{example}; mend the row and start again")
        yield example


def _leaderboard_examples(file: Path, task: TaskSettings, split: str) -> ExampleSet:
    """Dev rows that are bad are left out; of a test file every row must be answered."""
    lenient = task.model_copy(update={"on_bad_rows": "skip"})
    found = read_examples(file, lenient, labelled=split == "dev")
    if split == "test" and found.left_out.problems:
        raise UserError(problem_list(str(file), found.left_out.problems))
    return found


def _dev_score(path: Path, task: str) -> float | None:
    metrics = read_summary(path)["dev"].get(task)
    return None if not metrics else float(next(iter(metrics.values())) or 0.0)
