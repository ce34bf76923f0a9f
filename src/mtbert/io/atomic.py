"""Atomic writes of files and folders."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from mtbert.errors import UserError

__all__ = [
    "finite",
    "new_file",
    "new_folder",
    "remove_folder",
    "remove_partials",
    "sync_folder",
    "write_json",
    "write_text",
    "writing",
]

_PARTIAL = re.compile(r"\..*\.[0-9a-f]{8}\.partial")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says against a write becomes the user's message.

    Raises:
        UserError: full disk, no permission, no such folder, …
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A text file that takes its name only when it is complete and on disk.

    Raises:
        UserError: the folder cannot be written to.
    """
    partial = _beside(path)
    try:
        with writing(path):
            _make(path.parent)
            with partial.open("w", encoding="utf-8", newline="") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
            _sync(path.parent)
    finally:
        with suppress(OSError):  # a name that could not be made cannot be removed either
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with new_file(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file; NaN is refused, for other readers do not know it."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder, filled under another name, synced, then put in the place of `path`.

    A folder that stands there is moved aside first and removed last, so one complete folder
    exists at every moment.

    Raises:
        UserError: it cannot be written.
    """
    partial, old = _beside(path), _beside(path)
    try:
        with writing(path):
            _make(path.parent)
            partial.mkdir()
            yield partial
            sync_folder(partial)
            if path.exists():
                path.replace(old)
            partial.replace(path)
            _sync(path.parent)
            if old.exists():
                shutil.rmtree(old)
    except UserError as error:  # of a file in it: named where it would have been
        raise UserError(str(error).replace(str(partial), str(path))) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder that is never seen half removed.

    Raises:
        OSError: it cannot be removed.
    """
    leaving = _beside(path)
    path.replace(leaving)
    shutil.rmtree(leaving)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left unfinished in a folder; nobody else may be writing there."""
    for path in folder.glob(".*.partial"):
        if _PARTIAL.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """The same tree of plain values with null in the place of NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def sync_folder(folder: Path) -> None:
    """Bring every file below a folder, and the folder itself, to disk."""
    for file in sorted(folder.rglob("*")):
        _sync(file)
    _sync(folder)


def _make(folder: Path) -> None:
    """A folder with all above it, each on disk as an entry of its parent."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
