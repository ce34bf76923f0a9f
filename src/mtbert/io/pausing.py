"""A stream that tells when the one who writes it pauses, so that answers need not wait for more."""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Callable
from typing import BinaryIO, cast

__all__ = ["telling_pauses"]

_PAUSE_SECONDS = 0.05


def telling_pauses(stream: BinaryIO, on_pause: Callable[[], None]) -> BinaryIO:
    """The same bytes; before each wait of more than a moment `on_pause` is called.

    A regular file never lets one wait, and what is no file of the system (in tests) is left as it
    is.
    """
    try:
        number = stream.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):
            return stream
    except (OSError, AttributeError):
        return stream
    return cast(BinaryIO, io.BufferedReader(_Watched(number, on_pause), buffer_size=1 << 16))


class _Watched(io.RawIOBase):
    """Reads a file descriptor, which stays open, and calls back before it has to wait."""

    def __init__(self, number: int, on_pause: Callable[[], None]) -> None:
        self._number, self._on_pause = number, on_pause

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: object) -> int:
        """As much as is there, at least a byte; 0 at the end."""
        if not select.select([self._number], [], [], _PAUSE_SECONDS)[0]:
            self._on_pause()
        return os.readv(self._number, [buffer])  # type: ignore[list-item]
