"""Where the data of a task are: one file, or several that are read one behind the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mtbert.config.files import Files, is_pattern, names_of
from mtbert.config.hub_names import is_hub
from mtbert.config.load import data_file
from mtbert.config.settings import Settings
from mtbert.data.cache import file_digest
from mtbert.data.hub_files import hub_files
from mtbert.data.readers.base import kinds
from mtbert.errors import UserError
from mtbert.io.paths import is_file, matching

__all__ = ["SeveralFiles", "Source", "form_of", "locate", "paths_of", "source_digest"]


@dataclass(frozen=True, slots=True)
class SeveralFiles:
    """Files that are read as one."""

    paths: tuple[Path, ...]

    def __str__(self) -> str:
        more = len(self.paths) - 1
        return f"{self.paths[0]} and {more} more file{'s' if more > 1 else ''}"


Source = Path | SeveralFiles


def paths_of(source: Source) -> tuple[Path, ...]:
    """Its files, in the order in which they are read."""
    return (source,) if isinstance(source, Path) else source.paths


def locate(settings: Settings, files: Files) -> Source:
    """Where files are that a task names: patterns stand for what they match, in order of the names;
    a data set of the Hub is fetched.

    A name of a file that is there is no pattern; a file that is named twice is read once.

    Raises:
        UserError: a pattern matches no file, or a relative name has no folder to start from, or it
            was meant from the current folder.
    """
    found: dict[Path, Path] = {}
    for name in names_of(files):
        if is_hub(name):
            found |= {path: path for path in hub_files(name)}
            continue
        path = data_file(settings, name)
        if not is_file(path) and is_file(Path(name)) and not Path(name).is_absolute():
            raise UserError(
                f"{path}: no such file; there is one in the current folder, but names in a "
                "configuration start from its own folder, or from `data.dir`: data.dir=. takes it"
            )
        for one in _matches(name, path) if is_pattern(name) and not is_file(path) else [path]:
            found.setdefault(one.resolve() if is_file(one) else one, one)
    paths = tuple(found.values())
    return paths[0] if len(paths) == 1 else SeveralFiles(paths)


def _matches(name: str, path: Path) -> list[Path]:
    files = matching(path)
    if not files:
        raise UserError(f"{path}: no file matches the pattern {name!r}")
    return files


def source_digest(source: Source) -> str | None:
    """SHA-256 of a file, or of those of several; None where one cannot be read."""
    digests = [file_digest(path) for path in paths_of(source)]
    if isinstance(source, Path) or None in digests:
        return digests[0] if isinstance(source, Path) else None
    return hashlib.sha256(" ".join(map(str, digests)).encode()).hexdigest()


def form_of(source: Source) -> list[list[str]]:
    """What the names of the files tell of their formats, for keys of what is read from them."""
    return [list(kinds(path.name)) for path in paths_of(source)]
