"""Progress of a study: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from mtbert.console.progress import duration

__all__ = ["Line", "StudyBoard"]

_log = logging.getLogger(__name__)

_REDRAW_SECONDS = 1.0
_LINE_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """A run at work: its name, where it stands, and for how long it has worked."""

    name: str
    step: int
    steps: int
    seconds: float


class StudyBoard:
    """Standard error: lines that stay, and below them a table that is drawn again and again."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
        self._drawn = 0
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        """A line that stays."""
        self._clear()
        _log.info(line)

    def show(self, head: str, seconds_left: float | None, lines: Sequence[Line]) -> None:
        """The state of things, if it is time to tell it again."""
        now = time.monotonic()
        if now - self._last < (_REDRAW_SECONDS if self._live else _LINE_EVERY_SECONDS):
            return
        self._last = now
        left = "" if seconds_left is None else f", {duration(seconds_left)} left"
        if not self._live:
            running = "; ".join(f"{x.name} step {x.step} of {x.steps}" for x in lines)
            _log.info(f"{head}{left}; {running}" if running else f"{head}{left}")
            return
        rows = [
            [x.name, f"{x.step} of {x.steps}", f"{x.step / x.steps:.0%}", duration(x.seconds)]
            for x in lines
        ]
        table = tabulate(rows, ["running", "step", "", "time"], disable_numparse=True)
        columns, height = shutil.get_terminal_size()
        shown = [text[: columns - 1] for text in f"{head}{left}\n{table}".splitlines()]
        self._clear()
        shown = shown[: height - 1]
        sys.stderr.write("\n".join(shown) + "\n")
        sys.stderr.flush()
        self._drawn = len(shown)

    def close(self) -> None:
        """Take the table away."""
        self._clear()

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}F\x1b[J")  # so many lines up, then all below away
            sys.stderr.flush()
            self._drawn = 0
