"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm

__all__ = ["ProgressBar", "duration"]

_log = logging.getLogger(__name__)

_LINE_EVERY_SECONDS = 30.0


class ProgressBar:
    """Progress over a known number of steps, on standard error."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total, self._done = title, total, done
        self._tokens = 0
        self._started = self._last_line = time.perf_counter()
        self._first = done
        self._bar: tqdm[NoReturn] | None = None
        if sys.stderr.isatty() and _log.isEnabledFor(logging.INFO):
            self._bar = tqdm(total=total, initial=done, desc=title, unit="step", leave=False)

    def advance(self, tokens: int) -> None:
        """Count one finished step, and its tokens (padding not included)."""
        self._done += 1
        self._tokens += tokens
        now = time.perf_counter()
        speed = self._tokens / max(now - self._started, 1e-9)
        if self._bar is not None:
            self._bar.set_postfix_str(f"{speed:,.0f} tokens/s", refresh=False)
            self._bar.update()
        elif now - self._last_line >= _LINE_EVERY_SECONDS:
            self._last_line = now
            per_step = (now - self._started) / (self._done - self._first)
            left = per_step * (self._total - self._done)
            self.say(
                f"{self._title}: step {self._done} of {self._total}, {speed:,.0f} tokens/s, "
                f"{duration(left)} left"
            )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            _log.info(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def duration(seconds: float) -> str:
    """A duration as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
