"""Cooperative shutdown on SIGINT and SIGTERM: a run checks for it between two steps."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "stopping_at_signals", "watch_interruption"]

_ECHO_SECONDS = 1.0


class Interruption:
    """Whether the run was asked to stop."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def watch_interruption(echo: float = 0.0) -> Iterator[Interruption]:
    """The first signal requests a shutdown; a second one raises at once.

    Outside the main thread signals cannot be watched and nothing is changed.

    Args:
        echo: seconds in which further signals are the first one again, as where a terminal and
            the launcher of several processes both pass on one Ctrl-C.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    first = -math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not interruption.requested:
            first = time.monotonic()
        elif time.monotonic() - first >= echo:
            raise KeyboardInterrupt
        interruption.requested = True

    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in watched]
    try:
        yield interruption
    finally:
        for number, old in zip(watched, before, strict=True):
            signal.signal(number, old)


@contextmanager
def stopping_at_signals() -> Iterator[None]:
    """SIGTERM ends what is done inside as Ctrl-C does, by a KeyboardInterrupt.

    Either signal, heard once more within a second, is the same one; a later one raises again.
    `watch_interruption` takes over inside. Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    last = -math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= _ECHO_SECONDS:
            raise KeyboardInterrupt

    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in watched]
    try:
        yield
    finally:
        for number, old in zip(watched, before, strict=True):
            signal.signal(number, old)
