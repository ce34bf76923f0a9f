"""Where a command writes what it was asked for: standard output, or the file that a user names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mtbert.io import atomic

__all__ = ["STANDARD", "output_to"]

STANDARD = Path("-")
"""The usual name of standard output."""


@contextmanager
def output_to(path: Path | None) -> Iterator[TextIO]:
    """A stream to write to, in UTF-8; a file takes its name only when it is complete.

    None and `-` are standard output. Of a link, what it leads to is written and the link stays. A
    pipe or a device, such as /dev/null, is written to: a file put in its place would be the end of
    it.

    Raises:
        UserError: it cannot be written.
    """
    if path is None or path == STANDARD:
        yield sys.stdout
    elif path.exists() and not path.is_file():
        with atomic.writing(path), path.open("w", encoding="utf-8", newline="") as stream:
            yield stream
    else:
        with atomic.new_file(Path(os.path.realpath(path))) as stream:
            yield stream
