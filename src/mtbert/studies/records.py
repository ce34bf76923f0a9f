"""Records of finished runs: settings, scores, curves and compact predictions. No torch.

A record holds no text of the data, only the label and the prediction of each dev row. As JSON, a
run of the course's three tasks takes some 20 KB; labels, which are the same for all runs, are in
files of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtbert.config.load import load_config
from mtbert.config.settings import Settings
from mtbert.errors import UserError, shown
from mtbert.io import atomic
from mtbert.io.bounded import read_json, read_lines, why_invalid
from mtbert.runs.folder import read_summary
from mtbert.runs.scores import main_metric, main_score
from mtbert.studies.predictions import (
    LARGEST,
    DevPredictions,
    StoredPredictions,
    load_predictions,
    read_predictions,
    store_predictions,
)

__all__ = ["Record", "flat_settings", "read_record", "read_stored", "store", "stored_seconds"]

RECORD_FORMAT = 1

_Scores = Annotated[
    dict[str, Annotated[dict[str, float | None], Field(min_length=1)]], Field(min_length=1)
]


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Summary(_Checked):
    """What is kept of summary.json."""

    dev: _Scores
    overall: float | None
    mean: float | None
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    step_seconds: float
    step_cpu_seconds: float | None = None
    encoding_seconds: float
    evaluation_seconds: float
    tokens: int
    tokens_per_second: float | None
    seed: int
    examples: dict[str, int]
    device: str
    precision: str
    threads: int
    processor: str
    versions: dict[str, str]


class _Evaluation(_Checked):
    epoch: float
    step: int
    dev: _Scores


class _Gradients(_Checked):
    step: int
    gradient_cosine: dict[str, float | None]
    task_gradient_norm: dict[str, float | None] | None = None
    surgery_weights: dict[str, float | None] | None = None


class _Stored(_Checked):
    """A record as its JSON has it."""

    name: str
    settings: dict[str, Any]
    summary: _Summary
    curve: list[_Evaluation]
    gradients: list[_Gradients]


class _StoredPredictions(_Checked):
    rows: dict[str, StoredPredictions]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A finished run.

    Attributes:
        name: of its folder.
        settings: resolved, by dotted key, without this machine's paths.
        summary: what reports use of summary.json.
        curve: epoch, step and scores of each evaluation.
        gradients: step, cosines and norms (and surgery's weights) where they were measured.
        predictions: on the dev set, by task.
    """

    name: str
    settings: dict[str, Any]
    summary: dict[str, Any]
    curve: list[dict[str, Any]]
    gradients: list[dict[str, Any]]
    predictions: dict[str, DevPredictions]

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.summary["seed"])

    @property
    def seconds_per_epoch(self) -> float:
        """Time of the training steps, without evaluation and start-up, over the epochs begun.

        Those of the heads alone count too, and those after an early stop do not.
        On a CPU it is processor time divided by the number of threads, so that other runs and a
        busy machine do not change it; elsewhere, and in older runs, wall time.
        """
        seconds, threads = self.summary.get("step_cpu_seconds"), 1
        if seconds is None or self.summary["device"] != "cpu":
            seconds = self.summary["step_seconds"]
        else:
            threads = int(self.summary["threads"])
        begun = max((math.ceil(point["epoch"]) for point in self.curve), default=0)
        return float(seconds) / threads / (begun or max(1, int(self.summary["epochs"])))

    def metric(self, task: str) -> str:
        """The name of a task's main metric."""
        return main_metric(self.summary["dev"][task])

    def score(self, task: str) -> float | None:
        """A task's main metric; None if it is undefined or the run does not have the task."""
        return main_score(self.summary["dev"].get(task))


def read_record(path: Path, name: str | None = None) -> Record:
    """The record of a finished run's folder.

    Raises:
        UserError: it is not finished, or a file of it is damaged.
    """
    summary = read_summary(path)
    settings = load_config(str(path / "config.yaml"))
    lines = read_lines(path / "metrics.jsonl")
    kept = [line for line in lines if line.get("kind") == "dev" or line.get("gradient_cosine")]
    content = {
        "name": name or path.name,
        "settings": flat_settings(settings),
        "summary": summary,
        "curve": [line for line in kept if line.get("kind") == "dev"],
        "gradients": [line for line in kept if line.get("gradient_cosine")],
    }
    predictions = {
        task: read_predictions(path / "predictions" / f"{task}-dev.jsonl", settings, task)
        for task in summary["dev"]
    }
    return _record(content, predictions, path)


def store(record: Record, folder: Path) -> Path:
    """Write a record as `NAME.json`, and its labels as `labels-DIGEST.json` beside it."""
    content = {
        "format": RECORD_FORMAT,
        "name": record.name,
        "settings": record.settings,
        "summary": record.summary,
        "curve": record.curve,
        "gradients": record.gradients,
        "rows": {
            task: store_predictions(found, folder) for task, found in record.predictions.items()
        },
    }
    path = folder / f"{record.name}.json"
    parts = [
        f'"{key}": {json.dumps(atomic.finite(_rounded(value)), allow_nan=False)}'
        for key, value in content.items()
    ]
    atomic.write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")
    return path


def stored_seconds(path: Path) -> float:
    """How long the run of a stored record took, without its rows.

    Raises:
        UserError: it is damaged.
    """
    try:
        return _Summary.model_validate(read_json(path, LARGEST).get("summary")).seconds
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file") from None
    except ValidationError as error:
        raise UserError(f"{path}: damaged record: {why_invalid(error)}") from None


def read_stored(path: Path) -> Record:
    """A record from its JSON.

    Raises:
        UserError: it is damaged, or of another format.
    """
    try:
        content = read_json(path, LARGEST)
        if content.get("format") != RECORD_FORMAT:
            found = shown(content.get("format"))
            raise UserError(f"{path}: record of format {found}, this mtbert reads {RECORD_FORMAT}")
        answers = _StoredPredictions.model_validate(content).rows
        return _record(content, {t: load_predictions(path, a) for t, a in answers.items()}, path)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file") from None
    except ValidationError as error:
        raise UserError(f"{path}: damaged record: {why_invalid(error)}") from None


def _record(
    content: Mapping[str, Any], predictions: dict[str, DevPredictions], path: Path
) -> Record:
    """A record of checked parts.

    Raises:
        UserError: one is not what it should be, or rows of a task are missing.
    """
    try:
        parts = _Stored.model_validate(content).model_dump()
    except ValidationError as error:
        raise UserError(f"{path}: damaged: {why_invalid(error)}") from None
    if set(predictions) != set(parts["summary"]["dev"]):
        raise UserError(f"{path}: damaged: scores and predictions are of different tasks")
    for point in parts["gradients"]:
        for key in [key for key, value in point.items() if value is None]:
            del point[key]
    return Record(**parts, predictions=predictions)


def flat_settings(settings: Settings, *, defaults: bool = True) -> dict[str, Any]:
    """By dotted keys, as in overrides; files by their names, without folders.

    Args:
        settings: of a run.
        defaults: whether settings at their defaults are among them.
    """
    if defaults:
        tree = settings.written()
    else:
        tree = settings.model_dump(mode="json", exclude_defaults=True)
    tree.pop("data", None)
    tree.setdefault("encoder", {})["path"] = settings.encoder.public_path
    for task in tree["tasks"].values():
        for key in ("train", "test"):
            if key in task:
                task[key] = Path(task[key]).name
        if "dev" in task:
            dev = task["dev"]
            task["dev"] = (
                Path(dev).name
                if isinstance(dev, str)
                else {name: Path(file).name for name, file in dev.items()}
            )
    return _flat("", tree)


def _flat(prefix: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(f"{prefix}{key}.", value)
        else:
            flat[prefix + key] = value
    return flat


def _rounded(value: Any) -> Any:
    """The same tree with floats rounded to eight digits."""
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
