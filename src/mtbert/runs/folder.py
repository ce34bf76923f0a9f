"""The folder of one run: configuration, metrics, summary, predictions, model, checkpoints."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtbert.config.load import load_config
from mtbert.config.settings import Settings
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import is_file, read_json, why_invalid
from mtbert.runs.provenance import Provenance, check_format, differences

__all__ = ["RunFolder", "by_step", "read_run", "read_summary", "saved_step"]

_LOCK = ".lock"
_CHECKPOINTS = "checkpoints"

_HOW_COMPUTED = ("training.accumulate", "training.memory_limit")
"""Settings that change how a step is computed, not what it computes."""

_WHERE_FILES_ARE = re.compile(
    r"data\.(dir|cache)|encoder\.(path|revision)|tasks\.[^.]+\.(train|dev|test)(\.(?!order$)[^.]+)?"
)
"""Settings that only say where files are; what is in those that count is compared by its hash."""

_log = logging.getLogger(__name__)


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

    def __init__(
        self, path: Path, settings: Settings, provenance: Provenance, *, resume: bool
    ) -> None:
        """Create the folder, or open it to resume.

        Raises:
            UserError: it holds a run and `resume` is not set, its configuration, its inputs or
                its format are others, another process works on it, or it cannot be written.
        """
        self.path = path
        self._metrics: IO[str] | None = None
        self._listeners: list[Callable[[Mapping[str, Any]], None]] = []
        self.check(path, resume=resume)
        with atomic.writing(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / _LOCK).open("w")
        try:
            self._take_lock()
            self.check(path, resume=resume)  # another run may have been faster
            self._begin(settings, provenance)
        except UserError:
            self.close()
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{self.path}: another process is working on this run") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be locked: {error.strerror}") from None

    def _begin(self, settings: Settings, provenance: Provenance) -> None:
        """Write what the run starts from, config.yaml last; or compare with it."""
        for folder in (self.path, self.checkpoints, self.path / "predictions"):
            with atomic.writing(folder):
                atomic.remove_partials(folder)
        config = self.path / "config.yaml"
        if config.exists():
            check_format(self.path)
            changes = self._honoured(settings, load_config(str(config)))
            provenance.go_on(self.path)
            computed = [change for change in changes if change.startswith(_HOW_COMPUTED)]
            if computed:
                _log.warning(
                    "%s: goes on with other settings than before (%s); where batches are split "
                    "otherwise, it will not be bit for bit the run that was never stopped",
                    self.path, "; ".join(computed),
                )  # fmt: skip
            if changes:
                atomic.write_text(config, dump_yaml(settings))
        else:
            provenance.write(self.path)
            atomic.write_text(config, dump_yaml(settings))

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
        return self.path / _CHECKPOINTS

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return (self.path / "summary.json").exists()

    def start_metrics(self, last_step: int) -> None:
        """Open metrics.jsonl and drop what was logged after `last_step`."""
        file = self.path / "metrics.jsonl"
        kept = []
        with atomic.writing(file):
            raw = file.read_bytes() if file.exists() else b""
        for line in raw.splitlines(keepends=True):
            try:
                if line.endswith(b"\n") and json.loads(line)["step"] <= last_step:
                    kept.append(line.decode("utf-8"))
            except (ValueError, KeyError, TypeError):
                continue  # a line that was being written when the process died
        atomic.write_text(file, "".join(kept))
        with atomic.writing(file):
            self._metrics = file.open("a", encoding="utf-8")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; a number that is not finite becomes null.

        Raises:
            UserError: it cannot be written.
        """
        assert self._metrics is not None
        with atomic.writing(self.path / "metrics.jsonl"):
            self._metrics.write(_line(record))
            self._metrics.flush()
        for listener in self._listeners:
            listener(record)

    def also_log_to(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Hand every record that is logged from now on to `listener` too."""
        self._listeners.append(listener)

    def sync_metrics(self) -> None:
        """Bring metrics.jsonl to disk, before a checkpoint that it belongs to.

        Raises:
            UserError: it cannot be written, or the folder has vanished.
        """
        assert self._metrics is not None
        self.check_there()
        with atomic.writing(self.path / "metrics.jsonl"):
            os.fsync(self._metrics.fileno())

    def check_there(self) -> None:
        """Refuse to write into a folder that is no longer the one that was opened.

        Raises:
            UserError: it has vanished, or another one is in its place.
        """
        lock = self.path / _LOCK
        with atomic.writing(self.path):
            there = lock.exists() and os.path.samestat(lock.stat(), os.fstat(self._lock.fileno()))
        if not there:
            raise UserError(
                f"{self.path}: the run folder has vanished, or another one is in its place; "
                "bring it back and go on with --resume"
            )

    def write_predictions(self, predictions: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Replace the prediction files `NAME-dev.jsonl`."""
        self.check_there()
        for name, rows in predictions.items():
            with atomic.new_file(self.path / "predictions" / f"{name}-dev.jsonl") as stream:
                for row in rows:
                    stream.write(_line(row))

    def write_evaluation(self, details: Mapping[str, Any]) -> None:
        """Write evaluation.json: what is known of the best model's answers to the dev sets."""
        atomic.write_json(self.path / "evaluation.json", atomic.finite(details))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json; the run is finished when it is there."""
        self.check_there()
        atomic.write_json(self.path / "summary.json", atomic.finite(summary))

    def close(self) -> None:
        """Close the files and let go of the lock."""
        if self._metrics is not None:
            with suppress(OSError):  # lines that could not be written before cannot be now
                self._metrics.close()
        self._lock.close()

    def _honoured(self, wanted: Settings, stored: Settings) -> list[str]:
        """What differs, if all of it may be changed before a run goes on.

        Raises:
            UserError: something else differs, or the run is finished.
        """
        changes = differences(stored.model_dump(), wanted.model_dump())
        keys = [change.partition(": ")[0] for change in changes]
        if not self.finished and all(
            key in _HOW_COMPUTED or _WHERE_FILES_ARE.fullmatch(key) for key in keys
        ):
            return changes
        if not changes:
            return []
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


def by_step(checkpoints: Path) -> list[Path]:
    """The folders of checkpoints, the newest last."""
    found = [p for p in checkpoints.glob("step-*") if p.name[5:].isdecimal() and p.is_dir()]
    return sorted(found, key=_step)


def saved_step(run: Path) -> int:
    """From which step an interrupted run goes on, going by names alone; 0 is its beginning."""
    found = by_step(run / _CHECKPOINTS)
    return _step(found[-1]) if found else 0


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def read_run(path: Path) -> tuple[Settings, Path]:
    """Settings and model folder of a run that has a model.

    Raises:
        UserError: there is none.
    """
    if not is_file(path / "config.yaml"):
        raise UserError(f"{path}: not a run folder, no config.yaml in it")
    check_format(path)
    if not is_file(path / "model" / "mtbert.json"):
        if is_file(path / "summary.json"):
            raise UserError(
                f"{path}: its model was deleted after it was finished (a study keeps those of its "
                f"best runs alone); train it again: mtbert train {path}/config.yaml --output FOLDER"
            )
        raise UserError(f"{path}: has no model yet; finish it with mtbert train --resume {path}")
    return load_config(str(path / "config.yaml")), path / "model"


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(atomic.finite(record), ensure_ascii=False) + "\n"
