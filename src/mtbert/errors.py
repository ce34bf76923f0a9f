"""The one exception that means "the user's input is wrong"."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SHOWN_PROBLEMS", "TrainingError", "UserError", "problem_list"]

SHOWN_PROBLEMS = 10


class UserError(Exception):
    """Configuration, data, arguments or checkpoint are wrong.

    The message says what was found, where, what was expected and what to do. The command line
    prints it without a traceback and exits with code 2.
    """


class TrainingError(Exception):
    """Training cannot go on, and the input is not to blame.

    The command line prints the message without a traceback and exits with code 1.
    """


def problem_list(title: str, problems: Sequence[str]) -> str:
    """One message for many problems: the first ten and the total."""
    if len(problems) == 1:
        return f"{title}: {problems[0]}"
    lines = [f"{title}: {len(problems)} problems", *(f"  {p}" for p in problems[:SHOWN_PROBLEMS])]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  … and {len(problems) - SHOWN_PROBLEMS} more")
    return "\n".join(lines)
