"""Runs as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mtbert.studies.engines.base import Engine
from mtbert.studies.folder import PLANNED

__all__ = ["launch_train", "open_local", "threads_each"]


@contextmanager
def open_local(workers: int) -> Iterator[Engine]:
    """This machine, its threads shared by so many runs at once."""
    yield Engine(launch_train, threads_each(workers))


def launch_train(path: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """`mtbert train` of a run folder, in its own session; what it prints goes to log.txt.

    A run that has started goes on with its own config.yaml, whose paths, device and threads may
    differ from what is planned now.
    """
    path = path.absolute()  # so that its name cannot be an option
    begun = path / "config.yaml"
    config = begun if begun.exists() else path / PLANNED
    arguments = [str(config), "--output", str(path), "--resume"]
    with (path / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mtbert", "train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            start_new_session=True,  # so that Ctrl-C reaches it once, through this process
        )


def threads_each(workers: int) -> int:
    """Threads for each of several runs at once: a share of OMP_NUM_THREADS, or of the cores."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, (int(told) if told.isdecimal() else _cores()) // workers)


def _cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
