"""Exceptions that the command line reports without a traceback, and values in messages."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "SHOWN_PROBLEMS",
    "ReportedElsewhere",
    "TrainingError",
    "UserError",
    "printable",
    "problem_list",
    "shown",
]

SHOWN_PROBLEMS = 10
_MOST_LINES, _LONGEST_LINE = 50, 1000


class _Told(Exception):
    """An exception whose message is for people: of bounded length, safe on a terminal."""

    def __init__(self, message: str) -> None:
        lines = printable(message).split("\n")[:_MOST_LINES]
        super().__init__("\n".join(_cut(line, _LONGEST_LINE) for line in lines))


class UserError(_Told):
    """Configuration, data, arguments or checkpoint are wrong.

    The message says what was found, where, what was expected and what to do. The command line
    prints it without a traceback and exits with code 2.
    """


class TrainingError(_Told):
    """Training cannot go on, and the input is not to blame.

    The command line prints the message without a traceback and exits with code 1.
    """


class ReportedElsewhere(Exception):
    """Another process of the run reports the error; this one exits with the same code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def problem_list(title: str, problems: Sequence[str]) -> str:
    """One message for many problems: the first ten and the total."""
    if len(problems) == 1:
        return f"{title}: {problems[0]}"
    lines = [f"{title}: {len(problems)} problems", *(f"  {p}" for p in problems[:SHOWN_PROBLEMS])]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  … and {len(problems) - SHOWN_PROBLEMS} more")
    return "\n".join(lines)


def shown(value: object) -> str:
    """A value from outside as it stands in a message: at most 60 characters of its `repr`."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or nested too deeply
        text = f"a very large {type(value).__name__}"
    return _cut(text, 60)


def printable(text: str) -> str:
    """Everything but line ends and characters that can be seen is written as an escape.

    What a file holds could otherwise move the cursor, recolour the terminal or turn the direction
    of writing.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
