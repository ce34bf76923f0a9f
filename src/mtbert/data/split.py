"""Which rows of a training file are held out: stratified, texts that are equal on one side.

The rows of all tasks of a file are split together. Groups of rows that share a text stand in the
order of a hash of their texts; each class, the rarest first, takes the first of them until it has
its share. So the order of the rows does not matter, and rows that are added move few others.
Taking the rarest label first is the iterative stratification of Sechidis, Tsoumakas and Vlahavas
(2011), On the Stratification of Multi-Label Data, Algorithm 1.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import numpy as np

from mtbert.data.examples import Example

__all__ = ["Stratified", "held_out_lines", "strata_of_numbers"]

_BINS = 10
"""Strata of a regression, at most."""

_Stratum = tuple[str, int]
"""A task, and one of its classes or spans."""


@dataclass(frozen=True, slots=True)
class Stratified:
    """An example, and what it counts to: a class of its task, or a span of its labels."""

    example: Example
    task: str
    stratum: int


def strata_of_numbers(values: Sequence[float], share: float) -> list[int]:
    """Labels of a regression → spans of about equally many rows, at most ten, `[rows]`.

    They are so few that each holds out a row. Equal labels are in one span.
    """
    bins = min(_BINS, max(1, int(share * len(values))), len(values))
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return [int(i) for i in np.searchsorted(edges, values, side="left")]


def held_out_lines(rows: Iterable[Stratified], share: float, seed: int) -> frozenset[int]:
    """Lines of the rows that are held out.

    Args:
        rows: of all tasks of the file; a line may occur once for each.
        share: of the rows, between 0 and 1; each stratum of two groups or more gives one row at
            least and keeps one at least.
        seed: another one gives another order of the groups.
    """
    groups = _Groups(list(rows), seed)
    chosen = _choose(groups, share)
    return frozenset(line for group in chosen for line in groups.lines[group])


class _Groups:
    """Rows that share a text, directly or through others; by number, in the order of a hash.

    Attributes:
        lines: of each group.
        counts: rows of each group by stratum.
    """

    def __init__(self, rows: list[Stratified], seed: int) -> None:
        parent: dict[str | int, str | int] = {}

        def root(node: str | int) -> str | int:
            parent.setdefault(node, node)
            while parent[node] != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        for row in rows:  # a line joins its texts, and tasks that read other columns of it
            for text in row.example.texts:
                parent[root(text)] = root(row.example.line)
        members: dict[str | int, list[Stratified]] = defaultdict(list)
        for row in rows:
            members[root(row.example.line)].append(row)
        ordered = sorted(members.values(), key=lambda group: _hash(group, seed))
        self.lines = [{row.example.line for row in group} for group in ordered]
        self.counts = [Counter((row.task, row.stratum) for row in group) for group in ordered]


def _hash(group: list[Stratified], seed: int) -> bytes:
    """A group's place in the order: the least hash of its texts, which others do not move."""
    texts = {text for row in group for text in row.example.texts}
    return min(
        hashlib.blake2b(f"{seed} {text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    )


def _choose(groups: _Groups, share: float) -> set[int]:
    """Numbers of the groups that are held out."""
    total: Counter[_Stratum] = Counter()
    members: dict[_Stratum, list[int]] = defaultdict(list)
    for group, counts in enumerate(groups.counts):
        total.update(counts)
        for stratum in counts:
            members[stratum].append(group)
    needed = _apportion(total, share)
    kept, chosen = Counter(total), set[int]()

    def take(stratum: _Stratum, candidates: Sequence[int], overshooting: Set[_Stratum]) -> None:
        """Take the first that leave a row of each stratum and overshoot none but some."""
        for group in candidates:
            counts = groups.counts[group]
            if needed[stratum] <= 0:
                return
            if group not in chosen and all(
                n < kept[s] and (s in overshooting or n <= needed[s]) for s, n in counts.items()
            ):
                chosen.add(group)
                needed.subtract(counts)
                kept.subtract(counts)

    for stratum in sorted(total, key=lambda s: (total[s], s)):
        found, all_strata = members[stratum], set(total)
        take(stratum, found, set())
        take(stratum, found, all_strata - {stratum})
        if kept[stratum] == total[stratum]:  # no group is small enough: the smallest
            smallest = sorted(found, key=lambda group: groups.counts[group][stratum])
            take(stratum, smallest, all_strata)
    return chosen


def _apportion(total: Counter[_Stratum], share: float) -> Counter[_Stratum]:
    """Rows that each stratum should give, at least one; together the share of each task's rows.

    What is left when each has given its whole rows comes from the largest remainders (Hamilton's
    method).
    """
    given = Counter({stratum: max(1, int(share * rows)) for stratum, rows in total.items()})
    for task in {task for task, _ in total}:
        own = [stratum for stratum in total if stratum[0] == task]
        left = round(share * sum(total[s] for s in own)) - sum(given[s] for s in own)
        by_remainder = sorted(own, key=lambda s: (given[s] - share * total[s], s))
        given.update(by_remainder[: max(0, left)])
    return given
