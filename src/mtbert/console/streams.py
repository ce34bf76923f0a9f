"""Standard input, output and error as commands need them, whatever they were started with."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from pathlib import Path

__all__ = ["prepare_streams", "silence_output"]

_ESCAPE = "mtbert.escape"


def prepare_streams() -> None:
    """Make the standard streams fit to be read and written.

    One that is closed (`>&-`, a service, a scheduled job) reads and writes nothing. On standard
    output a character that the console's encoding lacks is written as JSON escapes it, so that
    JSON stays JSON.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    codecs.register_error(_ESCAPE, _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors=_ESCAPE)


def silence_output() -> None:
    """Send what standard output still holds, and all that follows, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
