"""Texts from a small grammar: `{rule}` is one of a rule's alternatives, `[a|b|]` one in place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

__all__ = ["Grammar", "flipped", "listed", "number_near", "worn"]

_PART = re.compile(r"\{(\w+)\}|\[([^\[\]{}]*)\]")


class Grammar:
    """Rules by name; an alternative may use other rules, to any depth."""

    def __init__(self, rules: Mapping[str, Sequence[str]], random: Random) -> None:
        self._rules, self._random = rules, random

    def say(self, text: str, **fixed: str) -> str:
        """Expand a text.

        Args:
            text: with rules and alternatives in it.
            fixed: what certain rules become, in the place of a random alternative.
        """

        def expand(match: re.Match[str]) -> str:
            name, alternatives = match.groups()
            if name is None:
                return self._random.choice(str(alternatives).split("|"))
            return fixed[name] if name in fixed else self._random.choice(self._rules[name])

        while _PART.search(text):
            text = _PART.sub(expand, text)
        text = re.sub(r"\s+", " ", text).strip()
        text = re.sub(r" ([.,!?;:])", r"\1", text)
        return re.sub(r"(^|[.!?] )([a-zäöüß])", lambda m: m[1] + m[2].upper(), text)


def listed(words: str) -> list[str]:
    """Alternatives written in one string, `/` between them."""
    return [word.strip() for word in words.split("/")]


def worn(text: str, random: Random, typos: float = 0.02) -> str:
    """The text as people type it: letters swapped or lost, sometimes no capitals or full stop."""
    letters = list(text)
    for i in range(1, len(letters) - 1):
        if letters[i].isalpha() and letters[i + 1].isalpha() and random.random() < typos / 2:
            if random.random() < 0.5:
                letters[i], letters[i + 1] = letters[i + 1], letters[i]
            else:
                letters[i] = ""
    text = "".join(letters)
    if random.random() < 0.2:
        text = text.lower()
    return text.rstrip(".") if random.random() < 0.2 else text


def flipped(label: str, labels: Sequence[str], random: Random, rate: float) -> str:
    """The label, or by chance another one: no model can be right more often than 1 - `rate`."""
    if random.random() >= rate:
        return label
    return random.choice([other for other in labels if other != label])


def number_near(value: float, spread: float, limits: tuple[float, float], random: Random) -> float:
    """The value as a person would give it: off by a normal error, and within the limits."""
    return min(max(random.gauss(value, spread), limits[0]), limits[1])
