"""The interface of the engines: a run's folder and variables of its environment → a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Engine", "Job", "Launch"]


class Job(Protocol):
    """A run at work. `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it works."""

    def wait(self) -> int:
        """The same, when it has ended."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still works."""


Launch = Callable[[Path, Mapping[str, str]], Job]
"""(run folder with its config.yaml, environment) → the job that trains it to its end."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where runs are trained.

    Attributes:
        launch: starts one.
        threads: that each of them has.
    """

    launch: Launch
    threads: int
