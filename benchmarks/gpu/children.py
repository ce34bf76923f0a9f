"""A process of its own for each contestant or run, asked and answered through a pipe."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.runner import start_method

__all__ = ["Child", "ChildFailed", "apart"]

Answerer = Callable[[Any], Any]

_TASKS = Path("/proc/self/task")


class ChildFailed(Exception):
    """A child has failed, ended or not answered; the message says which."""


class Child:
    """A process that prepares once and then answers."""

    def __init__(self, device: str, make: Callable[[], Answerer]) -> None:
        """Start it; `make`, which can be pickled, prepares and returns what answers."""
        context: Any = multiprocessing.get_context(_method(device))
        self._pipe, theirs = context.Pipe()
        # It may have children of its own, as inductor's compiler has.
        self._process = context.Process(target=_serve, args=(theirs, make), daemon=False)
        self._process.start()
        theirs.close()
        self._prepared = False

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended."""
        self._process.join(5)
        code: int | None = self._process.exitcode
        return code

    def ready(self, seconds: float) -> None:
        """Wait until it has prepared.

        Raises:
            ChildFailed: it has not.
        """
        if not self._prepared:
            self._receive(seconds)
            self._prepared = True

    def ask(self, question: Any, seconds: float) -> Any:
        """Its answer.

        Raises:
            ChildFailed: there is none.
        """
        self.ready(seconds)
        self._pipe.send(question)
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._pipe.poll(max(0.0, seconds)):
                self._process.kill()
                raise ChildFailed(f"no answer within {seconds:.0f} s")
            good, value = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise ChildFailed(f"ended with code {self.code}") from None
        if not good:
            raise ChildFailed(value)
        return value

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._pipe.send(None)
        self._pipe.close()
        self._process.join(5)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def _method(device: str) -> str:
    """How a child is made: forked, where this process has one thread and no GPU."""
    alone = _TASKS.is_dir() and len(list(_TASKS.iterdir())) == 1
    return "fork" if device == "cpu" and alone else start_method(device)


def apart(device: str, action: Callable[[], object], seconds: float) -> None:
    """Do something in a process of its own.

    Raises:
        ChildFailed: it has failed.
    """
    child = Child(device, partial(_done, action))
    try:
        child.ready(seconds)
    finally:
        child.close()


def _done(action: Callable[[], object]) -> Answerer:
    action()
    return lambda question: None


def _serve(pipe: Any, make: Callable[[], Answerer]) -> None:
    try:
        answer = make()
        pipe.send((True, None))
        # Not until the pipe ends: others may have been forked with it.
        while (question := pipe.recv()) is not None:
            pipe.send((True, answer(question)))
    except EOFError:
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send((False, f"{type(error).__name__}: {error}"[:1000]))
