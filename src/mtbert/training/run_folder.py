"""The folder of one run: configuration, metrics, summary, predictions, model, checkpoints."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtbert import atomic
from mtbert.config import dump_yaml, load_config
from mtbert.errors import UserError
from mtbert.reading import is_file, read_json, why_invalid
from mtbert.settings import Settings

__all__ = ["RunFolder", "read_run", "read_summary"]


class _Summary(BaseModel):
    """What others read of a summary."""

    model_config = ConfigDict(strict=True)

    dev: Annotated[dict[str, dict[str, float | None]], Field(min_length=1)]
    overall: float | None
    mean: float | None
    best_epoch: int
    seconds: float
    seed: int
    versions: dict[str, str]


class RunFolder:
    """Owns a run's folder for as long as the process lives.

    The lock is the kernel's and dies with the process, so no stale lock is ever left.
    """

    def __init__(self, path: Path, settings: Settings, *, resume: bool) -> None:
        """Create the folder, or open it to resume.

        Raises:
            UserError: it holds a run and `resume` is not set, its configuration is another one,
                another process works on it, or it cannot be written.
        """
        self.path = path
        self._metrics: IO[str] | None = None
        self.check(path, resume=resume)
        config = path / "config.yaml"
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise UserError(f"{path}: another process is working on this run") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            if config.exists():
                self._check_same(settings, load_config(str(config)))
            else:
                atomic.write_text(config, dump_yaml(settings))
        except UserError:
            self.close()
            raise

    @staticmethod
    def check(path: Path, *, resume: bool) -> None:
        """Refuse early, before data are read, a folder that cannot take the run.

        Raises:
            UserError: it holds a run and `resume` is not set, or is a file.
        """
        if (path / "config.yaml").exists() and not resume:
            raise UserError(
                f"{path}: holds a run already; go on with it by --resume, or choose another "
                "--output"
            )
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: is a file, expected a folder")

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie."""
        return self.path / "checkpoints"

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return (self.path / "summary.json").exists()

    def start_metrics(self, last_step: int) -> None:
        """Open metrics.jsonl and drop what was logged after `last_step`."""
        file = self.path / "metrics.jsonl"
        kept = []
        if file.exists():
            for line in file.read_text("utf-8").splitlines(keepends=True):
                try:
                    if line.endswith("\n") and json.loads(line)["step"] <= last_step:
                        kept.append(line)
                except (ValueError, KeyError):
                    continue  # a line that was being written when the process died
        atomic.write_text(file, "".join(kept))
        self._metrics = file.open("a", encoding="utf-8")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; a number that is not finite becomes null."""
        assert self._metrics is not None
        self._metrics.write(json.dumps(atomic.finite(record), ensure_ascii=False) + "\n")
        self._metrics.flush()

    def sync_metrics(self) -> None:
        """Bring metrics.jsonl to disk, before a checkpoint that it belongs to."""
        assert self._metrics is not None
        os.fsync(self._metrics.fileno())

    def write_predictions(self, predictions: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Replace the prediction files `NAME-dev.jsonl`."""
        for name, rows in predictions.items():
            with atomic.new_file(self.path / "predictions" / f"{name}-dev.jsonl") as stream:
                for row in rows:
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json; the run is finished when it is there."""
        atomic.write_json(self.path / "summary.json", atomic.finite(summary))

    def close(self) -> None:
        """Close the files and let go of the lock."""
        if self._metrics is not None:
            self._metrics.close()
        self._lock.close()

    def _check_same(self, wanted: Settings, stored: Settings) -> None:
        if wanted == stored:
            return
        changes = _differences("", stored.model_dump(), wanted.model_dump())
        raise UserError(
            f"{self.path}: the run was started with other settings ({'; '.join(changes)}); "
            "resume it with its own config.yaml, or start a new run in another folder"
        )


def read_summary(path: Path) -> dict[str, Any]:
    """The summary of a finished run.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        summary = read_json(path / "summary.json")
        _Summary.model_validate(summary)
    except FileNotFoundError:
        raise UserError(f"{path}: not a finished run, no summary.json in it") from None
    except ValidationError as error:
        raise UserError(f"{path}/summary.json: damaged: {why_invalid(error)}") from None
    return summary


def read_run(path: Path) -> tuple[Settings, Path]:
    """Settings and model folder of a run that has a model.

    Raises:
        UserError: there is none.
    """
    if not is_file(path / "config.yaml"):
        raise UserError(f"{path}: not a run folder, no config.yaml in it")
    if not is_file(path / "model" / "mtbert.json"):
        raise UserError(f"{path}: has no model yet; finish it with mtbert train … --resume")
    return load_config(str(path / "config.yaml")), path / "model"


def _differences(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(f"{prefix}{key}.", before, after)
        elif before != after:
            found.append(f"{prefix}{key}: {before!r}, now {after!r}")
    return found
