"""Steps in their order, each in a process of its own with a time limit; every result kept at once.

A step that fails, hangs or crashes is recorded with the end of its output, and the next one goes
on. `gpu-check.json` is replaced after every step, `records.tar.gz` whenever a run has finished, so
that whatever ends the check leaves what has been found.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mtbert
from benchmarks.gpu import bundle
from benchmarks.gpu.context import Context, Skipped, Step
from mtbert.io import atomic

__all__ = ["DONE", "Runner", "start_method"]

RESULTS = "gpu-check.json"
FORMAT = 1
DONE, FAILED, SKIPPED, STOPPED, TIMED_OUT = "done", "failed", "skipped", "stopped", "timed out"

_TAIL = 3000  # characters of a step's output
_RESERVE = 5.0  # seconds kept for the last writes
_SHORTEST = 3.0  # seconds below which no step is begun
_POLL = 0.1
_PRELOADED = ["benchmarks.gpu.correctness", "benchmarks.gpu.speed", "transformers.trainer"]
"""By the server of processes, once for all; what is not installed is left out."""
_BUNDLE_SECONDS = 5.0


def start_method(device: str) -> str:
    """How processes are made: forked from one that has imported torch, where no GPU forbids it."""
    return "forkserver" if device == "cpu" else "spawn"


@dataclass
class _Running:
    """A step at work."""

    step: Step
    context: Context
    process: Any
    started: float
    limit: float
    told_to_end: float | None = None
    timed_out: bool = False

    @property
    def log(self) -> Path:
        return self.context.work / "logs" / f"{self.step.name}.log"

    def watch(self, stopping: bool) -> bool:
        """Ask it to end when its time is over, end it after the grace; whether it has ended."""
        now = time.monotonic()
        if self.process.exitcode is not None:
            self.process.join()
            _end_group(self.process.pid)  # what it has started and left behind
            return True
        late = now - self.started > self.limit
        if (late or stopping) and self.told_to_end is None:
            self.timed_out, self.told_to_end = late, now
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)
        elif self.told_to_end is not None and now - self.told_to_end > self.step.grace:
            _end_group(self.process.pid)
            self.process.kill()  # where it has not come to lead a group yet
            self.process.join()
            return True
        return False


class Runner:
    """One pass over the steps."""

    def __init__(self, context: Context, output: Path, minutes: float) -> None:
        """Go on with what earlier passes left in `output`."""
        self.context, self.output = context, output
        self.end = time.monotonic() + 60 * minutes
        self.file = output / RESULTS
        self.results: dict[str, Any] = {"format": FORMAT, "steps": {}}
        if self.file.is_file():
            self.results |= json.loads(self.file.read_text("utf-8"))
        self.interrupted = False
        bundle.unpack(output, context.work)
        self._processes: Any = multiprocessing.get_context(start_method(context.device))
        # Of no effect where no server forks the processes.
        self._processes.set_forkserver_preload(_PRELOADED)

    def run(self, steps: Sequence[Step], *, skip_done: bool = False) -> int:
        """Do the steps; 0, or 1 if one of correctness has failed, or 130 if asked to stop."""
        wanted = [s for s in steps if not (skip_done and self._is_done(s))]
        for step in steps:
            if step not in wanted:
                _say(f"{step.name}: done before")
                self._hand_on(step)
        with self._watched():
            for group in _groups(wanted, self._beside()):
                if self.interrupted:
                    break
                self._do(group)
        self._write()
        if self.interrupted:
            return 130
        bad = [
            step.name
            for step in steps
            if step.kind in ("environment", "correctness")
            and self.results["steps"].get(step.name, {}).get("status") in (FAILED, TIMED_OUT)
        ]
        if bad:
            _say(f"failed: {', '.join(bad)}")
        return 1 if bad else 0

    def _is_done(self, step: Step) -> bool:
        """Whether an earlier pass did it; what the machine is, each has to find out."""
        found = self.results["steps"].get(step.name, {}).get("status")
        return bool(found == DONE) and step.kind != "environment"

    def _hand_on(self, step: Step) -> None:
        """Put the figures of an earlier pass where later steps look for them."""
        file = self.context.of(step.name, 0).figures_file
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(file, self.results["steps"][step.name].get("figures", {}))

    def _beside(self) -> int:
        """How many steps that measure no time run at the same moment."""
        return max(1, min(4, (os.cpu_count() or 1) // 4))

    def _do(self, group: Sequence[Step]) -> None:
        """Run steps beside one another."""
        running: list[_Running] = []
        for step in group:
            left = self.end - time.monotonic() - step.grace - _RESERVE
            if left < _SHORTEST:
                self._keep(step, 0.0, 0.0, {"status": SKIPPED, "reason": "no time was left"})
            else:
                running.append(self._start(step, min(step.seconds, left)))
        bundled = time.monotonic()
        while running:
            for one in [one for one in running if one.watch(self.interrupted)]:
                running.remove(one)
                self._collect(one)
            if time.monotonic() - bundled > _BUNDLE_SECONDS:
                bundle.pack(self.context.work, self.output)
                bundled = time.monotonic()
            time.sleep(_POLL)

    def _start(self, step: Step, limit: float) -> _Running:
        started = time.monotonic()
        context = self.context.of(step.name, started + limit)
        for file in (context.figures_file, _outcome_file(context)):
            file.unlink(missing_ok=True)
        _say(f"{step.name}: begins, at most {limit:.0f} s")
        log = self.context.work / "logs" / f"{step.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        process = self._processes.Process(target=_enter, args=(step, context, log))
        process.start()
        return _Running(step, context, process, started, limit)

    def _collect(self, one: _Running) -> None:
        """What a step that has ended has left."""
        seconds = time.monotonic() - one.started
        outcome = _read(_outcome_file(one.context))
        if outcome is None:
            if one.timed_out:
                outcome = {"status": TIMED_OUT, "reason": f"took more than {one.limit:.0f} s"}
            elif self.interrupted:
                outcome = {"status": STOPPED, "reason": "the check was asked to stop"}
            else:
                reason = f"its process ended with code {one.process.exitcode}"
                outcome = {"status": FAILED, "reason": reason}
        if outcome["status"] in (FAILED, TIMED_OUT):
            outcome["output"] = _tail(one.log)
        found = _read(one.context.figures_file)
        if found is not None:
            outcome["figures"] = found
        self._keep(one.step, seconds, one.limit, outcome)

    def _keep(self, step: Step, seconds: float, limit: float, outcome: Mapping[str, Any]) -> None:
        steps = self.results["steps"]
        before = steps.get(step.name, {}).get("status")
        if step.name not in steps or not (outcome["status"] == SKIPPED and before in _WORTH_MORE):
            steps[step.name] = {
                "kind": step.kind,
                "status": outcome["status"],
                "seconds": round(seconds, 2),
                "limit": round(limit, 2),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "card": self.results.get("environment", {}).get("card"),
                **{k: v for k, v in outcome.items() if k != "status"},
            }
        if step.kind == "environment" and "figures" in outcome:
            self.results["environment"] = outcome["figures"]
            steps[step.name]["card"] = outcome["figures"].get("card")
        reason = f": {outcome['reason']}" if "reason" in outcome else ""
        _say(f"{step.name}: {outcome['status']} after {seconds:.1f} s{reason}")
        if "output" in outcome:
            _say(outcome["output"])
        self._write()

    def _write(self) -> None:
        self.results["mtbert"] = mtbert.__version__
        atomic.write_json(self.file, atomic.finite(self.results))
        bundle.pack(self.context.work, self.output)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the step at work and the check, with everything written."""

        def stop(number: int, frame: object) -> None:
            self.interrupted = True

        watched = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, stop) for number in watched]
        try:
            yield
        finally:
            for number, old in zip(watched, before, strict=True):
                signal.signal(number, old)


_WORTH_MORE = (DONE, FAILED, TIMED_OUT, STOPPED)
"""What a step left that is not replaced because another pass had no time for it."""


def _groups(steps: Iterable[Step], beside: int) -> Iterator[list[Step]]:
    """Steps that run at the same moment, in order."""
    group: list[Step] = []
    for step in steps:
        if group and not (step.alongside and group[-1].alongside and len(group) < beside):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


# In the process of the step


def _enter(step: Step, context: Context, log: Path) -> None:
    """Do a step; what it prints goes to its log, and how it went to its outcome."""
    os.setsid()  # so that what it has started can be ended with it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, stream in ((1, "stdout"), (2, "stderr")):
        os.dup2(handle, number)
        setattr(sys, stream, os.fdopen(number, "w", buffering=1, closefd=False))
    outcome: dict[str, Any] = {"status": DONE}
    try:
        context.note(step.run(context))
    except Skipped as reason:
        outcome = {"status": SKIPPED, "reason": str(reason)}
    except KeyboardInterrupt as reason:
        outcome = {"status": STOPPED, "reason": str(reason) or "asked to stop"}
    except Exception as error:
        traceback.print_exc()
        outcome = {"status": FAILED, "reason": f"{type(error).__name__}: {error}"[:_TAIL]}
    atomic.write_json(_outcome_file(context), outcome)


def _outcome_file(context: Context) -> Path:
    return context.work / "outcomes" / f"{context.name}.json"


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def _tail(log: Path) -> str:
    with suppress(FileNotFoundError):
        return log.read_text("utf-8", "replace")[-_TAIL:]
    return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
