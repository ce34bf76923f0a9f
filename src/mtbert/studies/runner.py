"""Run the runs of a study, several at once; whatever stops them, the next call goes on.

Each run is `mtbert train` in a process of its own, so one that dies takes nothing with it. What
starts a process, here or on a cluster, is an engine's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM

from mtbert.console.board import Line, StudyBoard
from mtbert.console.interrupt import watch_interruption
from mtbert.errors import TrainingError
from mtbert.io import atomic
from mtbert.runs.folder import read_summary, saved_step
from mtbert.studies.engines.base import Job, Launch
from mtbert.studies.engines.local import launch_train, threads_each
from mtbert.studies.folder import RunStatus, Study, run_state
from mtbert.studies.grid import Cell, PlannedRun
from mtbert.studies.jobs import last_step, shown_scores, why_failed, with_threads
from mtbert.studies.records import stored_seconds
from mtbert.studies.results import export as export_results

__all__ = ["run_cells"]

_POLL_SECONDS = 0.2
_SECONDS_THAT_TELL = 60.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Process:
    run: PlannedRun
    path: Path
    job: Job
    started: float = field(default_factory=time.monotonic)
    first_step: int = 0

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.started

    def work(self, step: int) -> float:
        """The work done by this process up to a step, in the unit of `PlannedRun.work`."""
        return self.run.work * max(0, step - self.first_step) / self.run.steps


@dataclass(slots=True)
class _Done:
    """Work done, and the seconds it took."""

    work: float = 0.0
    seconds: float = 0.0

    def add(self, work: float, seconds: float) -> None:
        self.work += work
        self.seconds += seconds


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    workers: int = 1,
    launch: Launch = launch_train,
    export: Path | None = None,
    threads: int | None = None,
) -> None:
    """Run what is not finished, in order, at most `workers` at once.

    Each has `threads`, by default its share of this machine's. A run that fails does not stop the
    others. With `export`, each run's result is written there as soon as the run is finished, and a
    run with a result there, perhaps from another machine, counts as finished.

    Raises:
        UserError: the folder cannot be used.
        TrainingError: at the end, if runs failed; they are listed.
        KeyboardInterrupt: asked to stop; active runs have saved a checkpoint.
    """
    study, runs = Study(folder, export), list({c.run.key: c.run for c in cells}.values())
    with study.opened(cells), watch_interruption() as interruption:
        pool = _Pool(study, runs, workers, launch, threads or threads_each(workers))
        study.tidy()
        pool.write_results()
        try:
            while pool.waiting or pool.active:
                while pool.waiting and len(pool.active) < workers and not interruption.requested:
                    pool.start()
                if interruption.requested:
                    pool.waiting.clear()
                    pool.stop()
                pool.collect()
                pool.show()
                time.sleep(_POLL_SECONDS)
        finally:
            pool.kill()
            pool.board.close()
    if interruption.requested:
        raise KeyboardInterrupt(f"{folder}: stopped; the same command goes on")
    if pool.failed:
        lines = [f"  {name}: {reason}" for name, reason in pool.failed.items()]
        raise TrainingError(
            f"{len(lines)} of {len(pool.runs)} runs failed; the same command tries them again\n"
            + "\n".join(lines)
        )


class _Pool:
    """The runs of a study: waiting, active, failed and finished."""

    def __init__(
        self, study: Study, runs: Sequence[PlannedRun], workers: int, launch: Launch, threads: int
    ) -> None:
        self.study, self.runs, self.workers, self.launch = study, runs, workers, launch
        self.waiting: list[PlannedRun] = []
        self.active: list[_Process] = []
        self.failed: dict[str, str] = {}
        self.finished = 0
        self.before, self.here = _Done(), _Done()  # by earlier commands, by this one
        self._environment = with_threads(threads)
        self._stopping = False
        for run in runs:
            self._sort(run)
        self.board = StudyBoard()
        self.board.say(
            f"{len(runs)} runs: {self.finished} finished, {len(self.waiting)} to do, "
            f"{workers} at once, threads each: {threads}"
        )

    def _sort(self, run: PlannedRun) -> None:
        path = self.study.path(run)
        found = self.study.state(run)
        if found.status is RunStatus.FINISHED:
            self.finished += 1
            self.before.add(run.work, self._seconds(run))
        elif found.status is RunStatus.BUSY:
            self.failed[path.name] = found.reason
        else:
            if found.status in (RunStatus.FAILED, RunStatus.BROKEN):
                again = "again" if found.status is RunStatus.FAILED else "anew"
                _log.warning("%s: %s: %s; started %s", path.name, found.status, found.reason, again)
            self.waiting.append(run)

    def start(self) -> None:
        """Start the next run."""
        run = self.waiting.pop(0)
        path = self.study.prepare(run)
        process = _Process(run, path, self.launch(path, self._environment))
        process.first_step = saved_step(path)
        self.active.append(process)
        at = f", from step {process.first_step} on" if process.first_step else ""
        self.board.say(f"{path.name}: started{at}")

    def collect(self) -> None:
        """Handle the runs that have ended."""
        for process in list(self.active):
            code = process.job.poll()
            if code is None:
                continue
            self.active.remove(process)
            state = run_state(process.path)
            if code == 0 and state.status is RunStatus.FINISHED:
                summary = read_summary(process.path)
                self.finished += 1
                self.here.add(process.work(process.run.steps), process.seconds)
                self.study.tidy()
                self.write_results()
                self.board.say(f"{process.path.name}: {shown_scores(summary)}{self._tail()}")
            elif self._stopping:
                saved = saved_step(process.path)
                self.board.say(f"{process.path.name}: stopped; it goes on from step {saved}")
            else:
                reason = why_failed(process.path, code)
                atomic.write_json(process.path / "failed.json", {"code": code, "reason": reason})
                self.failed[process.path.name] = reason
                self.board.say(f"{process.path.name}: failed: {reason}")

    def write_results(self) -> None:
        """Export finished runs, if asked to."""
        if self.study.export is not None:
            export_results(self.study.folder, self.study.export)

    def _seconds(self, run: PlannedRun) -> float:
        """How long a finished run took, in seconds."""
        record = self.study.record(run)
        if record is not None:
            return stored_seconds(record)
        return float(read_summary(self.study.path(run))["seconds"])

    def stop(self) -> None:
        """Ask active runs, once, to save a checkpoint and stop."""
        if not self._stopping:
            self._stopping = True
            self.board.say("stopping: running ones save where they are")
            for process in self.active:
                process.job.send_signal(SIGTERM)

    def kill(self) -> None:
        """Stop what is still active at the end; the next call resumes it."""
        for process in self.active:
            process.job.send_signal(SIGTERM)
        for process in self.active:
            process.job.wait()

    def show(self) -> None:
        """Show progress: counts, time left, active runs."""
        if self._stopping:
            return
        lines = [Line(p.path.name, last_step(p.path), p.run.steps, p.seconds) for p in self.active]
        head = (
            f"{self.finished} of {len(self.runs)} finished, {len(self.failed)} failed, "
            f"{len(self.waiting)} waiting"
        )
        self.board.show(head, self.seconds_left(), lines)

    def seconds_left(self) -> float | None:
        """From the speed so far, active runs included; None before anything is known.

        The speed is that of this command once it has run for a minute; until then also that of runs
        finished earlier, perhaps on a busier machine.
        """
        left = sum(run.work for run in self.waiting)
        done = _Done(self.here.work, self.here.seconds)
        for process in self.active:
            step = last_step(process.path)
            left += process.run.work * (1 - step / process.run.steps)
            done.add(process.work(step), process.seconds)
        if done.seconds < _SECONDS_THAT_TELL or not done.work:
            done.add(self.before.work, self.before.seconds)
        return left * done.seconds / done.work / self.workers if done.work else None

    def _tail(self) -> str:
        return f" ({self.finished} of {len(self.runs)} finished)"
