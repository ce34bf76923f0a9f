"""What is kept of a finished run: settings, scores, curves, and compact predictions. No torch.

A record holds no text of the data: of each dev row the label and the answer alone. As JSON a run of
the course's three tasks takes some 20 KB; labels, the same for all runs, stand in files of their
own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtbert import atomic
from mtbert.config import load_config
from mtbert.errors import UserError, shown
from mtbert.experiments.model_card import shown_encoder
from mtbert.reading import read_json, read_lines, why_invalid
from mtbert.settings import Settings
from mtbert.training.run_folder import read_summary

__all__ = ["Record", "Rows", "read_record", "read_stored", "store", "stored_seconds"]

Array = NDArray[np.float64]

FORMAT = 1
_LARGEST = 32 << 20
"""Bytes of a record or its labels; one of a run of a thousand epochs takes less."""

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
    surgery_weights: dict[str, float | None] | None = None


class _Answers(_Checked):
    """A task's dev rows: the digest of their labels, predictions as text of base 64."""

    labels: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    predicted: str
    probability: str | None = None


class _Stored(_Checked):
    """A record as its JSON has it."""

    name: str
    settings: dict[str, Any]
    summary: _Summary
    curve: list[_Evaluation]
    gradients: list[_Gradients]


class _StoredRows(_Checked):
    rows: dict[str, _Answers]


class _Labels(_Checked):
    labels: Annotated[list[float], Field(min_length=1)]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Answers on a task's dev set.

    Attributes:
        digest: of ids and labels in order; equal digests can be paired.
        gold: `[rows]`, class numbers or values.
        predicted: `[rows]`, the same; values to a thousandth.
        probability: `[rows]`, of the second of two classes, to 1/255 (for `mse` the output, held
            within 0 and 1); None for other tasks.
    """

    digest: str
    gold: Array
    predicted: Array
    probability: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A finished run.

    Attributes:
        name: of its folder.
        settings: resolved, by dotted key, without paths of the machine.
        summary: of summary.json, what reports use.
        curve: epoch, step and scores of each evaluation.
        gradients: step, cosines (and surgery's weights) where they were measured.
        rows: by task.
    """

    name: str
    settings: dict[str, Any]
    summary: dict[str, Any]
    curve: list[dict[str, Any]]
    gradients: list[dict[str, Any]]
    rows: dict[str, Rows]

    @property
    def seed(self) -> int:
        """Of the run."""
        return int(self.summary["seed"])

    @property
    def seconds_per_epoch(self) -> float:
        """Of the training steps; evaluation and start-up left out.

        On a CPU it is the processor time, shared out over the threads, so that runs beside one
        another and a busy machine do not change it; elsewhere, and in older runs, the time that
        passed.
        """
        seconds, threads = self.summary.get("step_cpu_seconds"), 1
        if seconds is None or self.summary["device"] != "cpu":
            seconds = self.summary["step_seconds"]
        else:
            threads = int(self.summary["threads"])
        return float(seconds) / threads / max(1, int(self.summary["epochs"]))

    def metric(self, task: str) -> str:
        """The main metric of a task."""
        return str(next(iter(self.summary["dev"][task])))

    def score(self, task: str) -> float | None:
        """The main metric of a task; None where it is undefined or the task did not run."""
        metrics = self.summary["dev"].get(task)
        value = next(iter(metrics.values())) if metrics else None
        return None if value is None else float(value)


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
        "settings": _flat_settings(settings),
        "summary": summary,
        "curve": [line for line in kept if line.get("kind") == "dev"],
        "gradients": [line for line in kept if line.get("gradient_cosine")],
    }
    rows = {
        task: _read_rows(path / "predictions" / f"{task}-dev.jsonl", settings, task)
        for task in summary["dev"]
    }
    return _record(content, rows, path)


def store(record: Record, folder: Path) -> Path:
    """Write a record as `NAME.json`, and its labels as `labels-DIGEST.json` beside it."""
    rows = {}
    for task, found in record.rows.items():
        labels = folder / f"labels-{found.digest}.json"
        if not labels.is_file():
            atomic.write_text(labels, json.dumps({"labels": _plain(found.gold)}) + "\n")
        rows[task] = {"labels": found.digest, "predicted": _encode(found.predicted, 1000, "<i2")}
        if found.probability is not None:
            rows[task]["probability"] = _encode(found.probability, 255, "u1")
    content = {
        "format": FORMAT,
        "name": record.name,
        "settings": record.settings,
        "summary": record.summary,
        "curve": record.curve,
        "gradients": record.gradients,
        "rows": rows,
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
        return _Summary.model_validate(read_json(path, _LARGEST).get("summary")).seconds
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
        content = read_json(path, _LARGEST)
        if content.get("format") != FORMAT:
            found = shown(content.get("format"))
            raise UserError(f"{path}: record of format {found}, this mtbert reads {FORMAT}")
        answers = _StoredRows.model_validate(content).rows
        return _record(content, {t: _stored_rows(path, a) for t, a in answers.items()}, path)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file") from None
    except ValidationError as error:
        raise UserError(f"{path}: damaged record: {why_invalid(error)}") from None


def _record(content: Mapping[str, Any], rows: dict[str, Rows], path: Path) -> Record:
    """A record of checked parts.

    Raises:
        UserError: one is not what it should be, or rows of a task are missing.
    """
    try:
        parts = _Stored.model_validate(content).model_dump()
    except ValidationError as error:
        raise UserError(f"{path}: damaged: {why_invalid(error)}") from None
    if set(rows) != set(parts["summary"]["dev"]):
        raise UserError(f"{path}: damaged: scores and predictions are of different tasks")
    for point in parts["gradients"]:
        if point["surgery_weights"] is None:
            del point["surgery_weights"]
    return Record(**parts, rows=rows)


def _stored_rows(path: Path, found: _Answers) -> Rows:
    file = path.with_name(f"labels-{found.labels}.json")
    try:
        labels = _Labels.model_validate(read_json(file, _LARGEST)).labels
    except FileNotFoundError:
        raise UserError(
            f"{file}: not there. It holds the labels of the dev set, which belong to the data and "
            "may be kept apart from the results; exporting a run on the same data writes it anew"
        ) from None
    try:
        predicted = _decode(found.predicted, 1000, "<i2")
        probability = None if found.probability is None else _decode(found.probability, 255, "u1")
    except ValueError as error:
        raise UserError(f"{path}: damaged record: {error}") from None
    for values in (predicted, probability):
        if values is not None and len(values) != len(labels):
            raise UserError(f"{path}: damaged record: {len(values)} rows, {len(labels)} labels")
    return Rows(found.labels, np.array(labels, np.float64), predicted, probability)


def _read_rows(path: Path, settings: Settings, task: str) -> Rows:
    answers = list(read_lines(path))
    try:
        names = settings.tasks[task].class_names
        told = [_probability(answer, names) for answer in answers] if len(names) == 2 else None
        text = "\n".join(f"{answer['id']}\t{answer['gold']}" for answer in answers)
        gold, predicted = (
            np.array([answer[key] for answer in answers], np.float64)
            for key in ("gold", "prediction")
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: damaged predictions: {error!r}") from None
    if not len(gold):
        raise UserError(f"{path}: damaged predictions: no row")
    return Rows(
        hashlib.sha256(text.encode()).hexdigest()[:12],
        gold,
        np.rint(1000 * _known(predicted)) / 1000,
        None
        if told is None
        else np.rint(255 * np.clip(_known(np.array(told, np.float64)), 0, 1)) / 255,
    )


def _probability(answer: Mapping[str, Any], names: Sequence[str]) -> float:
    """Of the second of two classes; the output itself where there is one output (`mse`)."""
    if "probabilities" in answer:
        return float(answer["probabilities"][names[1]])
    return float(answer["score"])


def _known(values: Array) -> Array:
    """Zeros in the place of what is no number; the score of such a run is undefined anyway."""
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)


def _flat_settings(settings: Settings) -> dict[str, Any]:
    """Dotted keys, as overrides have them; files by their bare names."""
    tree = settings.model_dump(mode="json", exclude={"data"}, exclude_none=True)
    tree["encoder"]["path"] = shown_encoder(settings)
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
    """The same tree with floats of eight digits."""
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _plain(values: Array) -> list[int | float]:
    return [int(v) if v.is_integer() else v for v in values.tolist()]


def _encode(values: Array, scale: float, kind: str) -> str:
    limits = np.iinfo(np.dtype(kind))
    whole = np.clip(np.rint(values * scale), limits.min, limits.max).astype(kind)
    return base64.b64encode(whole.tobytes()).decode("ascii")


def _decode(text: str, scale: float, kind: str) -> Array:
    return np.frombuffer(base64.b64decode(text, validate=True), kind).astype(np.float64) / scale
