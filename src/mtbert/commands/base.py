"""The interface of a command, and argument types that commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

from mtbert.errors import UserError, shown
from mtbert.io.paths import expanded

__all__ = [
    "Command",
    "add_engine",
    "add_json",
    "add_overrides",
    "check_not_read",
    "existing_or_new",
    "file_to_write",
    "json_text",
    "looked_up",
    "positive",
]


class Command(Protocol):
    """A module of this folder.

    Importing it must be quick: what takes time to import, torch above all, is imported by the
    functions that need it.

    Attributes:
        HELP: one line for the list of commands.
    """

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, options: argparse.Namespace) -> None:
        """Do it: results to standard output, progress to standard error.

        Raises:
            UserError: the user's input is wrong.
            TrainingError: it cannot be done, and the input is not to blame.
            KeyboardInterrupt: interrupted; the message says how to go on.
        """


def existing_or_new(text: str) -> Path:
    """A path of the command line, if the system can look it up; `~` is the user's folder.

    Raises:
        ArgumentTypeError: the name is too long, links form a loop, or it may not be seen.
    """
    try:
        return looked_up(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def looked_up(text: str) -> Path:
    """The same, for a path that argparse does not read.

    Raises:
        UserError: as `existing_or_new`.
    """
    path = expanded(text)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # reported by the command, if it needs the file
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{shown(text)}: {reason}") from None
    return path


def file_to_write(text: str) -> Path:
    """A path of the command line that is not a folder.

    Raises:
        ArgumentTypeError: it is one, or `existing_or_new` refuses it.
    """
    path = existing_or_new(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{shown(text)}: is a folder, expected a file")
    return path


def check_not_read(output: Path, source: str) -> None:
    """Refuse to write answers over the file that they answer.

    Raises:
        UserError: both names are of one file.
    """
    try:
        same = output.is_file() and output.samefile(source)
    except (OSError, ValueError):  # the reader of `source` says what is wrong with it
        return
    if same:
        raise UserError(f"--output {output}: is the file that is read; name another one")


def positive(text: str) -> int:
    """A whole number from 1.

    Raises:
        ArgumentTypeError: it is not one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1")
    return int(text)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Positional `KEY=VALUE`, before and after the options."""
    parser.add_argument(
        "override",
        nargs="*",
        default=[],  # else argparse calls it required
        metavar="KEY=VALUE",
        help="dotted settings, as in training.epochs=3 or seed=7",
    )
    parser.set_defaults(takes_overrides=True)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """The option `--engine`."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="where runs are trained: on this machine, or on a Ray cluster (default: local)",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def json_text(found: dict[str, Any]) -> str:
    """Results as standard JSON: an undefined number is null."""
    import json

    from mtbert.io.atomic import finite

    return json.dumps(finite(found), indent=2, allow_nan=False)
