"""What is meant by a command or an option that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from mtbert.commands.table import COMMANDS, GROUPS
from mtbert.errors import shown

__all__ = ["command_problem", "rest_problem"]

_OTHER_WORDS = {
    "fit": "train",
    "finetune": "train",
    "fine-tune": "train",
    "run": "train",
    "resume": "train --resume",
    "test": "evaluate",
    "eval": "evaluate",
    "score": "evaluate",
    "infer": "predict",
    "inference": "predict",
    "classify": "predict",
    "check": "data check",
    "validate": "data check",
    "benchmark": "bench",
    "study": "experiment",
    "grid": "experiment",
}
"""Commands by the names that they have in other tools."""


def command_problem(arguments: Sequence[str]) -> str | None:
    """What is wrong with the words that name the command, if anything is."""
    words = [word for word in arguments if not word.startswith("-")][:2]
    if not words:
        return None
    if words[0] in GROUPS:
        members = [n.split(" ")[1] for n in COMMANDS if n.startswith(f"{words[0]} ")]
        if len(words) < 2 or words[1] in members:
            return None
        return _unknown(" ".join(words), [f"{words[0]} {m}" for m in members])
    names = [name for name in COMMANDS if " " not in name]
    if words[0] in names:
        return None
    return _unknown(words[0], names)


def rest_problem(
    rest: Sequence[str],
    given: Sequence[str],
    known: Sequence[str],
    command: str,
    *,
    takes_overrides: bool,
) -> str:
    """What is wrong with arguments that a command has no place for.

    Args:
        rest: the arguments.
        given: all arguments of the command line; a value may have been taken for something else.
        known: the command's options.
        command: its name.
        takes_overrides: whether it takes settings, as in `training.epochs=3`.
    """
    options = [part for part in rest if part.startswith("-")]
    if not options:
        return f"{command}: more arguments than expected: {' '.join(map(shown, rest))}"
    name, separator, value = options[0].partition("=")
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if close:
        return f"{command}: no option {name}; did you mean {close[0]}?"
    if takes_overrides:
        from mtbert.config.suggest import setting_meant

        position = given.index(options[0]) + 1
        if not separator and position < len(given) and not given[position].startswith("-"):
            value = given[position]
        dotted = name.lstrip("-")
        key = dotted if "." in dotted else setting_meant(dotted)
        if key is not None:
            return (
                f"{command}: no option {name}; settings are written without dashes: "
                f"{key}={value or '…'}"
            )
    return f"{command}: no option {name}; it has {', '.join(known)}"


def _unknown(name: str, names: Sequence[str]) -> str:
    """The message for a command that there is not."""
    every = ", ".join(COMMANDS)
    meant = _OTHER_WORDS.get(name) or next(
        iter(difflib.get_close_matches(name, [*names, *_OTHER_WORDS], n=1)), None
    )
    meant = _OTHER_WORDS.get(meant or "", meant)
    if meant is not None:
        return f"no command {shown(name)}; did you mean `mtbert {meant}`? commands: {every}"
    if Path(name).suffix in (".yaml", ".yml"):
        return f"no command {shown(name)}; did you mean `mtbert train {name}`? commands: {every}"
    return f"no command {shown(name)}; commands: {every}"
