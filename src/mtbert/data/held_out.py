"""Shares of a training file that stand for a dev set: which rows a task reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from mtbert.config.fields import share_of
from mtbert.config.files import Files
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import Example, LeftOut, iterate_examples
from mtbert.data.label_values import Label
from mtbert.data.sources import Source, locate, source_digest
from mtbert.data.split import Stratified, held_out_lines, strata_of_numbers

__all__ = ["Rows", "file_of", "rows_of"]


@dataclass(frozen=True, slots=True)
class Rows:
    """One side of a split file.

    Attributes:
        lines: of the rows that are held out.
        held_out: whether these are meant, or the others.
    """

    lines: frozenset[int]
    held_out: bool

    def of(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The examples on this side."""
        return (e for e in examples if (e.line in self.lines) == self.held_out)


def file_of(task: TaskSettings, file: Files) -> Files:
    """The file that the settings of a task mean: a share is one of the training file."""
    if share_of(file) is None:
        return file
    assert task.train is not None
    return task.train


def rows_of(settings: Settings, name: str, file: Files) -> Rows | None:
    """The rows that a task reads of one of its files, as the settings name it; None: all.

    Tasks that hold out the same share of the same file share the split.

    Raises:
        UserError: the training file cannot be read.
    """
    task = settings.tasks[name]
    share, held_out = task.held_out, share_of(file) is not None
    if share is None or not (held_out or file == task.train):
        return None
    assert task.train is not None
    place = settings.file_identity(task.train)
    sisters = tuple(
        (name, other.model_copy(update={"on_bad_rows": "skip"}).model_dump_json())
        for name, other in settings.tasks.items()
        if other.held_out == share
        and other.train is not None
        and settings.file_identity(other.train) == place
    )
    path = locate(settings, task.train)
    return Rows(
        _split(path, source_digest(path), sisters, share, settings.data.split_seed), held_out
    )


@lru_cache(maxsize=16)
def _split(
    path: Source, digest: str | None, tasks: tuple[tuple[str, str], ...], share: float, seed: int
) -> frozenset[int]:
    """Lines held out of a file with this content; its tasks are names and settings."""
    rows: list[Stratified] = []
    for name, fields in tasks:
        task = TaskSettings.model_validate_json(fields)
        examples = list(iterate_examples(path, task, LeftOut(), blank_is_unlabelled=True))
        strata = _strata(task, examples, share)
        rows += [
            Stratified(example, name, stratum)
            for example, found in zip(examples, strata, strict=True)
            for stratum in found
        ]
    return held_out_lines(rows, share, seed)


def _strata(task: TaskSettings, examples: list[Example], share: float) -> list[list[int]]:
    """What each example counts to: its class, its labels or their absence, or a span of numbers."""
    labels = [example.label for example in examples]
    if task.kind.is_multilabel:
        none = len(task.class_names)
        return [[i for i, said in enumerate(row) if said] or [none] for row in map(_set, labels)]
    numbers = [float(label) for label in labels if isinstance(label, (int, float))]
    if task.kind.is_classification:
        return [[int(label)] for label in numbers]
    return [[span] for span in strata_of_numbers(numbers, share)]


def _set(label: Label | None) -> tuple[float, ...]:
    return label if isinstance(label, tuple) else ()
