"""The command line: arguments → one function call.

Results go to standard output, progress and warnings to standard error. Exit codes: 0 done, 2 the
user's input is wrong, 130 interrupted, 1 anything else. What takes time to import is imported by
the command that needs it, so that help is instant.
"""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Callable, Sequence

from mtbert.commands.mistyped import command_problem, rest_problem
from mtbert.commands.table import COMMANDS, GROUPS
from mtbert.console.streams import prepare_streams, silence_output
from mtbert.errors import ReportedElsewhere, TrainingError, UserError, printable
from mtbert.hardware.openmp import spin_briefly
from mtbert.version import __version__

__all__ = ["exit_code", "log_to_stderr", "main"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when nothing more can be written: standard output may be a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""

    def run() -> None:
        prepare_streams()
        options = _parse(arguments)
        log_to_stderr(quiet=options.quiet)
        options.run(options)

    return exit_code(run)


def log_to_stderr(*, quiet: bool = False) -> None:
    """Send log records to standard error as they are, `quiet` warnings and errors only."""
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, handlers=[log], force=True
    )
    for noisy in ("httpx", "httpx2", "huggingface_hub", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def exit_code(run: Callable[[], None]) -> int:
    """Call a function; report what goes wrong as one message without a traceback."""
    spin_briefly()
    try:
        run()
        sys.stdout.flush()
    except UserError as error:
        print(f"mtbert: {error}", file=sys.stderr)
        return 2
    except TrainingError as error:
        print(f"mtbert: {error}", file=sys.stderr)
        return 1
    except ReportedElsewhere as error:
        return error.code
    except BrokenPipeError:
        # The reader has gone; leave without a second complaint at exit.
        silence_output()
        return 1
    except OSError as error:
        if error.errno not in _FULL:
            raise
        print(f"mtbert: cannot be written: {error.strerror}", file=sys.stderr)
        silence_output()
        return 2
    except KeyboardInterrupt as error:
        print(f"mtbert: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


class _Printable(logging.Formatter):
    """Log lines name what data files hold, so they are written as `printable` does."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options and overrides in any order; argparse alone wants all overrides before --output.

    Raises:
        UserError: a command or an option is unknown; the message names the one that is meant.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    if (problem := command_problem(given)) is not None:
        raise UserError(problem)
    options, rest = parser.parse_known_args(given)
    plain = not any(part.startswith("-") and part != "-" for part in rest)
    if rest and plain and options.takes_overrides:
        options.override = [*options.override, *rest]
    elif rest and plain and len(rest) <= len(empty := _empty_places(options)):
        for place, part in zip(empty, rest, strict=False):
            setattr(options, place, part)
    elif rest:
        known = [word for word in options.option_strings if word.startswith("--")]
        raise UserError(
            rest_problem(
                rest, given, known, options.command, takes_overrides=options.takes_overrides
            )
        )
    return options


def _empty_places(options: argparse.Namespace) -> list[str]:
    """Positional arguments that may stand behind options and were not found before them."""
    return [place for place in options.places if getattr(options, place) is None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtbert", description="Fine-tune one BERT on several sentence tasks."
    )
    parser.add_argument("--version", action="version", version=f"mtbert {__version__}")
    parser.add_argument("--quiet", action="store_true", help="warnings only on standard error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    groups = {}
    for name, command in COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if group and group not in groups:
            words = [n.removeprefix(f"{group} ") for n in COMMANDS if n.startswith(f"{group} ")]
            groups[group] = commands.add_parser(group, help=GROUPS[group]).add_subparsers(
                required=True, metavar="|".join(words)
            )
        own = groups.get(group, commands).add_parser(word, help=command.HELP)
        own.set_defaults(run=command.run, takes_overrides=False, places=(), command=name)
        command.add_arguments(own)
        own.set_defaults(option_strings=list(own._option_string_actions))
    return parser
