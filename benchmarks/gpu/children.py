"""A process of its own for each contestant or run, asked and answered through a pipe."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.gpu.runner import start_method

__all__ = ["Child", "ChildFailed"]

Answerer = Callable[[Any], Any]

_PRELOADED = ["mtbert.experiments.run", "benchmarks.gpu.speed", "transformers.trainer"]
"""By the server of processes, once for all; what is not installed is left out."""


class ChildFailed(Exception):
    """A child has failed, ended or not answered; the message says which."""


class Child:
    """A process that prepares once and then answers."""

    def __init__(self, device: str, make: Callable[[], Answerer]) -> None:
        """Start it; `make`, which can be pickled, prepares and returns what answers."""
        context: Any = multiprocessing.get_context(start_method(device))
        context.set_forkserver_preload(_PRELOADED)  # without effect where there is no such server
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
        self._pipe.close()
        self._process.join(5)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def _serve(pipe: Any, make: Callable[[], Answerer]) -> None:
    try:
        answer = make()
        pipe.send((True, None))
        while True:
            pipe.send((True, answer(pipe.recv())))
    except EOFError:
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send((False, f"{type(error).__name__}: {error}"[:1000]))
