"""The table of commands: a new command is one file and one line here."""

from __future__ import annotations

from mtbert.commands import (
    bench,
    check_data,
    compare,
    convert,
    evaluate,
    experiment,
    init,
    leaderboard,
    predict,
    report,
    soup,
    train,
    tune,
)
from mtbert.commands.base import Command

__all__ = ["COMMANDS", "GROUPS"]

COMMANDS: dict[str, Command] = {
    "train": train,
    "init": init,
    "evaluate": evaluate,
    "predict": predict,
    "soup": soup,
    "leaderboard": leaderboard,
    "experiment": experiment,
    "tune": tune,
    "report": report,
    "compare": compare,
    "data check": check_data,
    "bench": bench,
    "convert": convert,
}
"""By name, in the order of the help; a name of two words belongs to a group."""

GROUPS = {"data": "look at data"}
"""The first words of names of two words, and their lines of help."""
