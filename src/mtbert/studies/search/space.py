"""The space of a search: dotted keys of the configuration, and the values that each may have.

    training.epochs=2,4,8                        choices
    training.surgery=none,{name: pcgrad}         of any kind, written as in YAML
    training.learning_rate=1e-5..5e-4:log        numbers between two, by their logarithm
    training.batch_size=8..32                    whole numbers, if both ends are
    training.warmup=0..0.3:0.1                   in steps

The same as a YAML file: `training.epochs: [2, 4, 8]`, `training.batch_size: 8..32`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbert.config.yaml import parse_yaml, read_yaml
from mtbert.errors import UserError, problem_list, shown
from mtbert.io.bounded import is_file

__all__ = ["Choices", "Domain", "Range", "Space", "read_space"]

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|{_NUMBER}))?")
_ALMOST = re.compile(r"[-+]?\d[\d.eE+-]*\.\.")
_FORMS = "expected values `A,B,C`, or numbers `LOW..HIGH`, `LOW..HIGH:log` or `LOW..HIGH:STEP`"
_MOST_VALUES = 10_000
"""Of one setting that a grid has; a mistyped step must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Values of any kind.

    Attributes:
        values: each as JSON.
    """

    values: tuple[str, ...]

    @property
    def ends(self) -> tuple[str, ...]:
        """Every value: each may be one that the configuration refuses."""
        return self.values

    @property
    def listed(self) -> tuple[str, ...]:
        """Every value."""
        return self.values


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low: the smallest.
        high: the largest; with a step, one that it reaches.
        step: between neighbours; None for any number.
        log: whether their logarithms are drawn evenly.
        whole: whether they are whole.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """Smallest and largest value as JSON, and with a step also the second: it may be none."""
        second = [] if self.step is None else [float(f"{self.low + self.step:.12g}")]
        return tuple(json.dumps(value) for value in (self.low, *second, self.high))

    @property
    def listed(self) -> tuple[float, ...] | None:
        """Every value; None where they cannot be counted."""
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return None
        number = math.floor((self.high - self.low) / step + 1e-9) + 1
        if number > _MOST_VALUES:
            return None
        found = (self.low + i * step for i in range(number))
        return tuple(x if self.whole else float(f"{x:.12g}") for x in found)


Domain = Choices | Range


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched.

    Attributes:
        domains: by dotted key, in the order in which they were given.
    """

    domains: Mapping[str, Domain]

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """`KEY=VALUE` of each value of a trial."""
        return [f"{key}={self.text(key, values[key])}" for key in self.domains]

    def text(self, key: str, value: Any) -> str:
        """A value of a trial as JSON."""
        return str(value) if isinstance(self.domains[key], Choices) else json.dumps(value)

    def grid(self) -> list[dict[str, Any]]:
        """Every combination, the last key the fastest.

        Raises:
            UserError: some setting has more values than can be counted, or there are too many.
        """
        problems = [
            f"{key}: a grid needs values `A,B,C` or a step `LOW..HIGH:STEP`"
            for key, domain in self.domains.items()
            if domain.listed is None
        ]
        if problems:
            raise UserError(problem_list("--search", problems))
        columns = [domain.listed or () for domain in self.domains.values()]
        size = math.prod(map(len, columns))
        if size > _MOST_VALUES:
            raise UserError(f"--search: the grid has {size} places, at most {_MOST_VALUES} are run")
        return [dict(zip(self.domains, row, strict=True)) for row in itertools.product(*columns)]


def read_space(given: Sequence[str]) -> Space:
    """The space that `KEY=VALUES` and YAML files describe; what is given later takes precedence.

    Raises:
        UserError: anything in it is wrong; all problems are listed.
    """
    domains: dict[str, Domain] = {}
    problems = []
    for key, value in (pair for text in given for pair in _pairs(text)):
        try:
            domains[key] = _domain(value)
        except UserError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise UserError(problem_list("--search", problems))
    if not domains:
        raise UserError(f"--search: nothing to search; {_FORMS}, after `KEY=`")
    return Space(domains)


def _pairs(text: str) -> list[tuple[str, Any]]:
    if is_file(Path(text)):
        return [(str(key), value) for key, value in read_yaml(Path(text)).items()]
    key, separator, values = text.partition("=")
    if not separator or not all(key.split(".")):
        raise UserError(f"--search {shown(text)}: no such file, and not KEY=VALUES; {_FORMS}")
    return [(key, values)]


def _domain(value: Any) -> Domain:
    if isinstance(value, str):
        if found := _RANGE.fullmatch(value.strip()):
            return _range(*found.groups())
        if _ALMOST.match(value.strip()):
            raise UserError(f"found {shown(value)}, {_FORMS}")
        value = parse_yaml(f"[{value}]", shown(value))
    if not isinstance(value, list):
        raise UserError(f"found {shown(value)}, {_FORMS}")
    texts = tuple(json.dumps(choice, default=str) for choice in value)
    if len(texts) < 2:
        raise UserError(f"found {len(texts)} value, {_FORMS}; one alone is an override KEY=VALUE")
    if len(set(texts)) < len(texts):
        raise UserError(f"a value is there twice in {shown(value)}")
    return Choices(texts)


def _range(low: str, high: str, scale: str | None) -> Range:
    whole = all(re.fullmatch(r"[-+]?\d+", end) for end in (low, high))
    a, b = (int(low), int(high)) if whole else (float(low), float(high))
    if not (math.isfinite(a) and math.isfinite(b) and a < b):
        raise UserError(f"found {low}..{high}, expected a number and a larger one")
    if scale == "log":
        if a <= 0:
            raise UserError(f"found {low}..{high}:log, the logarithm needs numbers above 0")
        return Range(a, b, log=True, whole=whole)
    if scale is None:
        return Range(a, b, whole=whole)
    step = int(scale) if whole and scale.isdecimal() else float(scale)
    if not 0 < step <= b - a:
        raise UserError(f"found the step {scale}, expected one above 0 and at most {b - a:g}")
    whole = whole and isinstance(step, int)
    highest = a + math.floor((b - a) / step + 1e-9) * step
    return Range(a, highest if whole else float(f"{highest:.12g}"), step, whole=whole)
