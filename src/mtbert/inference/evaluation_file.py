"""`evaluation.json` of a run: details of its best model's answers to every dev set. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mtbert.config.files import Files
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings, predictions_name
from mtbert.data.held_out import file_of
from mtbert.data.sources import Source, locate
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
    "run_files",
]

EVALUATION = "evaluation.json"

_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file of labelled rows that a task is scored on.

    Attributes:
        task: its name.
        fields: its settings.
        set_name: of the set; a task may have several.
        file: as the settings name it; a share means the training file.
        path: where it is; None where that is not known.
        selects: whether the set takes part in choosing the best epoch.
        blank_is_unlabelled: whether a blank label means that the row is not the task's.
    """

    task: str
    fields: TaskSettings
    set_name: str = ""
    file: Files = ""
    path: Source | None = None
    selects: bool = True
    blank_is_unlabelled: bool = False

    @property
    def name(self) -> str:
        """In scores: the task's, or `task/set`."""
        return self.task if self.selects else f"{self.task}/{self.set_name}"

    @property
    def predictions(self) -> str:
        """What its predictions are filed under."""
        return predictions_name(self.task, self.set_name, selects=self.selects)


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sets: dict[str, SetDetails]


def run_files(settings: Settings, name: str, files: Mapping[str, Files]) -> list[LabelledFile]:
    """Files of a task of a run.

    Args:
        settings: of the run.
        name: of the task.
        files: by name of the set, as the settings name them; the first one selects.
    """
    task, found = settings.tasks[name], []
    for position, (set_name, file) in enumerate(files.items()):
        whole = file_of(task, file)
        shared = settings.shares_file(whole)
        place = _place(settings, whole)
        found.append(LabelledFile(name, task, set_name, file, place, position == 0, shared))
    return found


def dev_sets(settings: Settings) -> list[LabelledFile]:
    """The dev sets of a run, in the order of its scores: those that select first."""
    found = [
        labelled
        for name, task in settings.tasks.items()
        for labelled in run_files(settings, name, task.dev_files)
    ]
    return sorted(found, key=lambda labelled: not labelled.selects)


def _place(settings: Settings, file: Files) -> Source | None:
    try:
        return locate(settings, file)
    except UserError:
        return None


def describe_files(
    files: Iterable[LabelledFile], predictions: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, SetDetails]:
    """Details of each file's answers, with the texts of the worst, by the name in scores."""
    found = {}
    for part in files:
        details = describe_answers(part.task, part.fields, predictions[part.predictions])
        texts = _texts(part, [mistake.id for mistake in details.mistakes])
        mistakes = [
            mistake.model_copy(update={"texts": list(texts[mistake.id])})
            if mistake.id in texts
            else mistake
            for mistake in details.mistakes
        ]
        found[part.name] = details.model_copy(update={"mistakes": mistakes})
    return found


def _texts(part: LabelledFile, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    if part.path is None or not ids:
        return {}
    return find_texts(part.path, part.fields, ids, blank_is_unlabelled=part.blank_is_unlabelled)


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
        return describe_files(files, predictions)
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
