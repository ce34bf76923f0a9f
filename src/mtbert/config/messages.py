"""Configuration errors in plain words: the key, what was found, what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mtbert.errors import shown

__all__ = ["PartErrors", "close_name", "explain", "nearest", "one_of", "unknown_name"]


_AUTO, _NUMBERS = "literal['auto']", ("constrained-int", "constrained-float")
"""How pydantic names the alternatives of a setting that is `auto` or a number."""

_ALTERNATIVE = re.compile(r"(function-\w+|literal|dict|tuple|list)\[.*\]$|constrained-\w+$")
"""How it names those of other settings, behind their keys."""

_NAMES = "letters, digits, _ and -, a letter first, at most 64"


class PartErrors(ValueError):
    """What is wrong with parts of a value.

    Attributes:
        problems: each begins with the key of the part, below that of the value.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def explain(
    error: Any,
    known_keys: Callable[[Sequence[str]], list[str]],
    meant: Callable[[str], str | None] = lambda _: None,
) -> list[str]:
    """One of pydantic's errors in plain words.

    Args:
        error: one of `ValidationError.errors()`.
        known_keys: lists the keys of a section.
        meant: the full key that a name may stand for which is none of its section.
    """
    location = [str(part) for part in error["loc"]]
    if error["type"] == "string_pattern_mismatch" and location[-1] == "[key]":
        where = ".".join(location[:-2])
        return [f"{where}: {shown(location[-2])} cannot be a name there, expected {_NAMES}"]
    alternative, location = location[-1:], [p for p in location if not _ALTERNATIVE.match(p)]
    where = ".".join(location) or "configuration"
    found = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            known = known_keys(location[:-1])
            close = close_name(location[-1], known)
            if not close and (key := meant(location[-1])) is not None:
                close = f"; did you mean {key!r}?"
            return [f"{where}: unknown key{close or nearest(location[-1], known)}"]
        case "missing":
            return [f"{where}: missing; it must be set"]
        case "value_error" if isinstance(error["ctx"]["error"], PartErrors):
            return [f"{where}.{problem}" for problem in error["ctx"]["error"].problems]
        case "value_error":
            prefix = f"{'.'.join(location)}: " if location else ""
            return [prefix + line for line in str(error["ctx"]["error"]).split("\n")]
        case "literal_error" if alternative == [_AUTO]:
            return []  # the other alternative says what is expected
        case _ if alternative and alternative[0] in _NUMBERS:
            return [f"{where}: {_begun_small(error['msg'])}, or auto, found {shown(found)}"]
        case "tuple_type" | "list_type":
            return [f"{where}: found {shown(found)}, expected a list, as in [a, b]"]
        case _:
            return [f"{where}: {_begun_small(error['msg'])}, found {shown(found)}"]


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a message about an unknown name: the known one that is meant, or all."""
    return close_name(name, known) or f"; known: {', '.join(sorted(known))}"


def unknown_name(found: object, known: Sequence[str]) -> str:
    """What is wrong with a value that should be one of the known names."""
    hint = close_name(found, known) if isinstance(found, str) else ""
    return f"input should be {one_of(known)}, found {shown(found)}{hint}"


def one_of(names: Iterable[str]) -> str:
    """`'a', 'b' or 'c'`."""
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


def close_name(name: str, known: Sequence[str]) -> str:
    """The part of a message that names the known name that is meant; empty if none is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
