"""A study's folder: its runs, the state each is in, and what is kept of them.

DIR/study.json            which run fills which place of which experiment
    runs/LABEL-sSEED-KEY/ run folders; finished ones keep no checkpoints, and a model only
                          where it is the best of its form on a task
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError, shown
from mtbert.io import atomic
from mtbert.io.bounded import is_file, open_regular, read_json
from mtbert.runs.folder import read_summary
from mtbert.runs.scores import main_score
from mtbert.studies.grid import Cell, PlannedRun

__all__ = [
    "PLANNED",
    "RECORDS",
    "Place",
    "RunState",
    "RunStatus",
    "Study",
    "copy_index",
    "is_finished",
    "is_study",
    "kept_models",
    "read_places",
    "run_state",
]

INDEX_FORMAT = 1

RECORDS = "runs"
"""The folder of records in an export."""

PLANNED = "planned.yaml"
"""The configuration of a run before it starts; afterwards it has its own config.yaml."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")


class RunStatus(StrEnum):
    """Where a run of a study stands."""

    FINISHED = "finished"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    BROKEN = "broken"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class RunState:
    """The status of a run, and the reason where something is wrong."""

    status: RunStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of an experiment's table, as study.json has it."""

    experiment: str
    title: str
    form: str
    variation: str
    seed: int
    run: str


class Study:
    """A study's folder; `opened` and `locked` keep it for this process."""

    def __init__(self, folder: Path, export: Path | None = None) -> None:
        """A study that need not exist yet.

        Args:
            folder: of the study.
            export: where the results of finished runs are also kept; a run with a result there is
                finished, whether or not it has a folder here.
        """
        self.folder, self.export = folder, export

    @contextmanager
    def opened(self, cells: Sequence[Cell]) -> Iterator[None]:
        """Lock the folder, and write down what its runs are for.

        Raises:
            UserError: another process works on it, or it cannot be written.
        """
        with self.locked():
            self._write_index(cells)
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder where it is not there, and lock it.

        Raises:
            UserError: another process works on it, or it cannot be written.
        """
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{self.folder}: another process is working on this study"
                ) from None
            yield

    def path(self, run: PlannedRun) -> Path:
        """The folder of a run, whatever its label was when it was made."""
        found = sorted((self.folder / "runs").glob(f"*-{run.key}"))
        if found:
            return found[0]
        record = self.record(run)
        return self.folder / "runs" / (run.name if record is None else record.stem)

    def record(self, run: PlannedRun) -> Path | None:
        """The exported result of a run, if there is one."""
        if self.export is None:
            return None
        return next(iter(sorted((self.export / RECORDS).glob(f"*-{run.key}.json"))), None)

    def state(self, run: PlannedRun) -> RunState:
        """The state of a run, from its folder here or its exported result."""
        if self.record(run) is not None:
            return RunState(RunStatus.FINISHED)
        return run_state(self.path(run))

    def prepare(self, run: PlannedRun) -> Path:
        """Make a run's folder ready to start or resume; a broken one is deleted first."""
        path = self.path(run)
        state = run_state(path)
        if state.status is RunStatus.BROKEN:
            shutil.rmtree(path)
        (path / "failed.json").unlink(missing_ok=True)
        atomic.write_text(path / PLANNED, dump_yaml(run.settings))
        return path

    def tidy(self) -> None:
        """Delete the checkpoints of finished runs, and models that a better run has replaced."""
        keep = {path for _, _, path in kept_models(self.folder)}
        for path in sorted((self.folder / "runs").iterdir()):
            if is_finished(path):
                for name in ("checkpoints", *(() if path in keep else ("model",))):
                    if (path / name).exists():
                        shutil.rmtree(path / name)

    def _write_index(self, cells: Sequence[Cell]) -> None:
        experiments = _read_index(self.folder)["experiments"] if is_study(self.folder) else {}
        for name in dict.fromkeys(cell.experiment.name for cell in cells):
            own = [cell for cell in cells if cell.experiment.name == name]
            experiments[name] = {
                "title": own[0].experiment.title,
                "cells": [
                    [cell.form, cell.variation, cell.seed, self.path(cell.run).name] for cell in own
                ],
            }
        index = {"format": INDEX_FORMAT, "experiments": experiments}
        atomic.write_json(self.folder / "study.json", index)


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return is_file(folder / "study.json")


def copy_index(study: Path, folder: Path) -> None:
    """Copy a study's index into another folder.

    Raises:
        UserError: it is not there, or damaged, or the folder cannot be written.
    """
    atomic.write_json(folder / "study.json", _read_index(study))


def read_places(folder: Path) -> list[Place]:
    """The places of all experiments, in order.

    Raises:
        UserError: study.json is not there, or damaged.
    """
    try:
        return [
            _place(name, experiment["title"], *cell)
            for name, experiment in _read_index(folder)["experiments"].items()
            for cell in experiment["cells"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}/study.json: damaged: {error!r}") from None


def _place(*parts: Any) -> Place:
    place = Place(*parts)
    names = (place.experiment, place.title, place.form, place.variation, place.run)
    if not all(isinstance(name, str) for name in names) or type(place.seed) is not int:
        raise TypeError("a place is not of text and a seed")
    for what, name in (("run", place.run), ("form", place.form)):  # names of files begin with them
        if not _NAME.fullmatch(name):
            raise ValueError(f"{shown(name)} is no name of a {what}")
    return place


def is_finished(path: Path) -> bool:
    """Whether a run has its summary and all its predictions."""
    return (path / "summary.json").exists() and _lacking(path) is None


def run_state(path: Path) -> RunState:
    """The state of a run, from its files.

    Not for a run of this process: the run's lock is taken for a moment.
    """
    if (path / "summary.json").exists():
        lacking = _lacking(path)
        return (
            RunState(RunStatus.FINISHED) if lacking is None else RunState(RunStatus.BROKEN, lacking)
        )
    if _is_locked(path):
        return RunState(RunStatus.BUSY, "another process is working on this run")
    if (path / "failed.json").exists():
        try:
            found = read_json(path / "failed.json")
            # Exit code 2: the folder cannot be used, and will not be usable next time either.
            return RunState(
                RunStatus.BROKEN if found["code"] == 2 else RunStatus.FAILED, str(found["reason"])
            )
        except (FileNotFoundError, UserError, KeyError):
            return RunState(RunStatus.BROKEN, "failed.json is damaged")
    return RunState(
        RunStatus.INTERRUPTED if (path / "metrics.jsonl").exists() else RunStatus.WAITING
    )


def kept_models(folder: Path) -> list[tuple[str, str, Path]]:
    """The best finished run of each form and task: (form, task, run folder).

    Of runs with equal scores, one that still has its model.
    """
    best: dict[tuple[str, str], tuple[float, bool, Path]] = {}
    for place in read_places(folder):
        path = folder / "runs" / place.run
        if not is_finished(path):
            continue
        for task, metrics in read_summary(path)["dev"].items():
            score = main_score(metrics)
            if score is None:
                continue
            entry = (score, (path / "model").is_dir(), path)
            key = (place.form, task)
            if key not in best or entry[:2] > best[key][:2]:
                best[key] = entry
    return [(form, task, path) for (form, task), (_, _, path) in best.items()]


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = read_json(folder / "study.json")
        if index["format"] != INDEX_FORMAT:
            raise ValueError(f"format {index['format']}, this mtbert reads {INDEX_FORMAT}")
        if not isinstance(index["experiments"], dict):
            raise ValueError("no experiments")
    except FileNotFoundError:
        raise UserError(f"{folder}: not a study, no study.json in it") from None
    except (ValueError, KeyError) as error:
        raise UserError(f"{folder}/study.json: damaged: {error}") from None
    return index


def _lacking(path: Path) -> str | None:
    """What a finished run should have but lacks, or None."""
    try:
        tasks = read_summary(path)["dev"]
    except UserError as error:
        return str(error)
    lacking = [t for t in tasks if not (path / "predictions" / f"{t}-dev.jsonl").is_file()]
    return f"no predictions of {', '.join(lacking)}" if lacking else None


def _is_locked(path: Path) -> bool:
    """Whether a process holds the run's lock; it dies with the process."""
    try:
        with open_regular(path / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
