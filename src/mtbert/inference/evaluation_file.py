"""`evaluation.json` of a run: details of its best model's answers to every dev set. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mtbert.config.settings import Settings
from mtbert.config.tasks import predictions_name
from mtbert.errors import UserError
from mtbert.inference.details import SetDetails, describe_answers
from mtbert.inference.mistakes import find_texts
from mtbert.io.bounded import is_file, read_json, read_lines, why_invalid

__all__ = [
    "EVALUATION",
    "LabelledFile",
    "describe_files",
    "describe_run",
    "dev_sets",
    "read_details",
]

EVALUATION = "evaluation.json"

_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file of labelled rows that a task is scored on.

    Attributes:
        name: in scores: the task's, or `task/set`.
        task: its name.
        file: as the settings name it.
        predictions: what its predictions are filed under.
    """

    name: str
    task: str
    file: str
    predictions: str


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sets: dict[str, SetDetails]


def dev_sets(settings: Settings) -> list[LabelledFile]:
    """The dev sets of a run, in the order of its scores."""
    return [
        LabelledFile(
            task if position == 0 else f"{task}/{name}",
            task,
            file,
            predictions_name(task, name, selects=position == 0),
        )
        for task, fields in settings.tasks.items()
        for position, (name, file) in enumerate(fields.dev_files.items())
    ]


def describe_files(
    settings: Settings,
    files: Iterable[LabelledFile],
    predictions: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, SetDetails]:
    """Details of each file's answers, with the texts of the worst, by the name in scores."""
    found = {}
    for part in files:
        details = describe_answers(
            part.task, settings.tasks[part.task], predictions[part.predictions]
        )
        ids = [mistake.id for mistake in details.mistakes]
        texts = find_texts(settings, part.task, part.file, ids) if ids else {}
        mistakes = [
            mistake.model_copy(update={"texts": list(texts[mistake.id])})
            if mistake.id in texts
            else mistake
            for mistake in details.mistakes
        ]
        found[part.name] = details.model_copy(update={"mistakes": mistakes})
    return found


def describe_run(path: Path, settings: Settings) -> dict[str, SetDetails]:
    """Details from the predictions that a run's folder holds.

    Raises:
        UserError: they are damaged.
    """
    files = dev_sets(settings)
    try:
        predictions = {
            part.predictions: list(
                read_lines(path / "predictions" / f"{part.predictions}-dev.jsonl")
            )
            for part in files
        }
        return describe_files(settings, files, predictions)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}/predictions: damaged predictions: {error!r}") from None


def read_details(path: Path, settings: Settings) -> dict[str, SetDetails]:
    """Details of a finished run: as its end wrote them, or, of older runs, computed now.

    Raises:
        UserError: they, or the predictions, are damaged.
    """
    file = path / EVALUATION
    if not is_file(file):
        return describe_run(path, settings)
    try:
        return _File.model_validate(read_json(file, _LARGEST)).sets
    except ValidationError as error:
        raise UserError(f"{file}: damaged: {why_invalid(error)}") from None
