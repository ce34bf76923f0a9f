"""Trials at work, and what stays of those that have ended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna

from mtbert.studies.engines.base import Job
from mtbert.studies.grid import PlannedRun
from mtbert.studies.search.trials import SearchTrial

__all__ = ["ENDED", "ActiveTrial", "tidy"]


@dataclass(slots=True, eq=False)
class ActiveTrial:
    """A trial at work.

    Attributes:
        trial: in the journal.
        run: that trains it.
        path: of the run's folder.
        job: that works there; None while another has the folder, an equal trial or one that a
            killed search has left at work.
        epoch: the last one that was judged.
        pruned: why it was stopped, or empty.
    """

    trial: optuna.Trial
    run: PlannedRun
    path: Path
    job: Job | None = None
    epoch: int = 0
    pruned: str = ""
    started: float = field(default_factory=time.monotonic)


class _Ended:
    """The job of a run that was finished before."""

    def poll(self) -> int:
        return 0

    def wait(self) -> int:
        return 0

    def send_signal(self, sig: int) -> None:
        pass


ENDED: Job = _Ended()


def tidy(
    runs: Path, trials: Sequence[SearchTrial], best: SearchTrial | None, active: Collection[str]
) -> None:
    """Delete the checkpoints of trials that have ended, and all models but the best trial's.

    Args:
        runs: the folder of the runs.
        trials: of the search.
        best: of them.
        active: names of the run folders that are in use.
    """
    for name in {trial.run for trial in trials if trial.run} - set(active):
        kept = best is not None and name == best.run
        for folder in ("checkpoints",) if kept else ("checkpoints", "model"):
            if (runs / name / folder).is_dir():
                shutil.rmtree(runs / name / folder)
