"""A study's results as reports read them: which run fills which place, finished or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbert.studies.folder import RECORDS, Place, copy_index, is_finished, is_study, read_places
from mtbert.studies.groups import Group
from mtbert.studies.records import Record, read_record, read_stored, store

__all__ = ["Results", "export", "is_export", "load_results"]


@dataclass(frozen=True, eq=False)
class Results:
    """Places in tables, and the records of the runs that are finished.

    Attributes:
        places: of every experiment, in order.
        records: by the name of the run.
    """

    places: Sequence[Place]
    records: Mapping[str, Record]

    @property
    def experiments(self) -> dict[str, str]:
        """Titles by name."""
        return {place.experiment: place.title for place in self.places}

    @property
    def forms(self) -> list[str]:
        """The forms, in order of appearance."""
        return list(dict.fromkeys(place.form for place in self.places))

    @property
    def missing(self) -> list[str]:
        """The names of the runs that are not finished."""
        names = dict.fromkeys(place.run for place in self.places)
        return [name for name in names if name not in self.records]

    def variations(self, experiment: str) -> list[str]:
        """The variations of an experiment, in order."""
        found = (p.variation for p in self.places if p.experiment == experiment)
        return list(dict.fromkeys(found))

    def group(self, experiment: str, form: str, variation: str) -> Group | None:
        """The finished runs of a place; None if there are none."""
        found = [
            self.records[place.run]
            for place in self.places
            if (place.experiment, place.form, place.variation) == (experiment, form, variation)
            and place.run in self.records
        ]
        return Group(variation, tuple(found)) if found else None

    def planned(self, experiment: str, form: str, variation: str) -> int:
        """How many seeds a place is to have."""
        wanted = (experiment, form, variation)
        return sum((p.experiment, p.form, p.variation) == wanted for p in self.places)


def load_results(folder: Path) -> Results:
    """The results in a study's folder, or in a folder of exported ones.

    Raises:
        UserError: a file is damaged.
    """
    stored = folder / RECORDS
    if is_study(folder):
        places = read_places(folder)
        paths = {place.run: folder / "runs" / place.run for place in places}
        done = {name: read_record(path) for name, path in paths.items() if is_finished(path)}
        return Results(places, done)
    places = read_places(stored)
    files = {place.run: stored / f"{place.run}.json" for place in places}
    return Results(places, {n: read_stored(file) for n, file in files.items() if file.is_file()})


def is_export(folder: Path) -> bool:
    """Whether a folder holds exported results."""
    return not is_study(folder) and is_study(folder / RECORDS)


def export(study: Path, folder: Path) -> Path:
    """Write the records of a study's finished runs as JSON below `folder`; returns where.

    Records that are there already are kept, so this can be called repeatedly.

    Raises:
        UserError: the study or a run is damaged, or the folder cannot be written.
    """
    stored = folder / RECORDS
    copy_index(study, stored)
    for name in dict.fromkeys(place.run for place in read_places(study)):
        path = study / "runs" / name
        if not (stored / f"{name}.json").is_file() and is_finished(path):
            store(read_record(path), stored)
    return stored
