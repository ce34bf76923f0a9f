"""Cooperative shutdown on SIGINT and SIGTERM: a run checks for it between two steps."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "watch_interruption"]


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
