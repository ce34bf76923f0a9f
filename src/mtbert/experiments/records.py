"""What is kept of a finished run: settings, scores, curves, and compact predictions. No torch.

A record holds no text of the data: of each dev row the label and the answer alone. As JSON a run of
the course's three tasks takes some 20 KB; labels, the same for all runs, stand in files of their
own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbert import atomic
from mtbert.config import load_config
from mtbert.errors import UserError
from mtbert.experiments.model_card import shown_encoder
from mtbert.settings import Settings
from mtbert.training.run_folder import read_summary

__all__ = ["Record", "Rows", "read_record", "read_stored", "store"]

Array = NDArray[np.float64]

FORMAT = 1
_SUMMARY = (
    "dev", "overall", "mean", "best_epoch", "epochs", "steps", "seconds", "step_seconds",
    "encoding_seconds", "evaluation_seconds", "tokens", "tokens_per_second", "seed", "examples",
    "device", "precision", "threads", "processor", "versions",
)  # fmt: skip


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
        """Of the training steps; evaluation and start-up left out."""
        return float(self.summary["step_seconds"]) / max(1, int(self.summary["epochs"]))

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
    try:
        lines = [json.loads(x) for x in (path / "metrics.jsonl").read_text("utf-8").splitlines()]
        return Record(
            name or path.name,
            _flat_settings(settings),
            {key: summary[key] for key in _SUMMARY if key in summary},
            [_picked(line, "epoch", "step", "dev") for line in lines if line["kind"] == "dev"],
            [
                _picked(line, "step", "gradient_cosine", "surgery_weights")
                for line in lines
                if line.get("gradient_cosine")
            ],
            {
                task: _read_rows(path / "predictions" / f"{task}-dev.jsonl", settings, task)
                for task in summary["dev"]
            },
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{path}: damaged run: {error!r}") from None


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


def read_stored(path: Path) -> Record:
    """A record from its JSON.

    Raises:
        UserError: it is damaged, or of another format.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this mtbert reads {FORMAT}")
        rows = {}
        for task, found in content["rows"].items():
            labels = path.with_name(f"labels-{found['labels']}.json")
            gold = json.loads(labels.read_text("utf-8"))["labels"]
            probability = found.get("probability")
            rows[task] = Rows(
                found["labels"],
                np.array(gold, np.float64),
                _decode(found["predicted"], 1000, "<i2"),
                None if probability is None else _decode(probability, 255, "u1"),
            )
        parts = {key: content[key] for key in ("name", "settings", "summary", "curve", "gradients")}
        return Record(**parts, rows=rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged record: {error!r}") from None


def _read_rows(path: Path, settings: Settings, task: str) -> Rows:
    answers = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    names = settings.tasks[task].class_names
    probability = None
    if len(names) == 2:
        told = [
            a["probabilities"][names[1]] if "probabilities" in a else a["score"] for a in answers
        ]
        probability = np.rint(255 * np.clip(np.array(told, np.float64), 0, 1)) / 255
    predicted = np.array([answer["prediction"] for answer in answers], np.float64)
    text = "\n".join(f"{answer['id']}\t{answer['gold']}" for answer in answers)
    return Rows(
        hashlib.sha256(text.encode()).hexdigest()[:12],
        np.array([answer["gold"] for answer in answers], np.float64),
        np.rint(1000 * predicted) / 1000,
        probability,
    )


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


def _picked(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: record[key] for key in keys if key in record}


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
    return np.frombuffer(base64.b64decode(text), kind).astype(np.float64) / scale
