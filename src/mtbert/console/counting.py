"""Progress over rows whose number is not known: a counter on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import NoReturn

from tqdm import tqdm

__all__ = ["RowCounter"]

_log = logging.getLogger(__name__)

_LINE_EVERY_SECONDS = 30.0


class RowCounter:
    """Counts rows on standard error."""

    def __init__(self) -> None:
        self._started = self._last_line = time.perf_counter()
        self._count = 0
        self._bar: tqdm[NoReturn] | None = None
        if sys.stderr.isatty() and _log.isEnabledFor(logging.INFO):
            self._bar = tqdm(unit=" rows", leave=False)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._started

    def advance(self) -> None:
        """Count one row."""
        self._count += 1
        if self._bar is not None:
            self._bar.update()
        elif time.perf_counter() - self._last_line >= _LINE_EVERY_SECONDS:
            self._last_line = time.perf_counter()
            _log.info("%d rows, %.0f a second", self._count, self._count / self.seconds)

    def close(self) -> None:
        """Take the counter away."""
        if self._bar is not None:
            self._bar.close()
