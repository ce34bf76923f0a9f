"""The files of a task in a configuration: a name, a pattern, or a list of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from mtbert.config.fields import file_name
from mtbert.errors import shown

__all__ = ["DevFiles", "FileNames", "Files", "is_pattern", "listed", "names_of"]

Files = str | tuple[str, ...]
"""What a task reads as one table: a file, or several, one behind the other."""


def names_of(files: Files) -> tuple[str, ...]:
    """Every name in it."""
    return (files,) if isinstance(files, str) else files


def listed(files: Files) -> str:
    """The same for messages."""
    return ", ".join(names_of(files))


def is_pattern(name: str) -> bool:
    """Whether a name may stand for several files: `part-*.csv`."""
    return any(sign in name for sign in "*?[")


def _checked(value: object) -> Files:
    """A name or a list of names; one in a list is the same as that one.

    Raises:
        ValueError: neither.
    """
    if isinstance(value, str):
        return file_name(value)
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"expected the name of a file or a list of names, found {shown(value)}")
    names = []
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"expected a list of names of files, found {shown(name)} in it")
        names.append(file_name(name))
    return names[0] if len(names) == 1 else tuple(names)


def _checked_dev(value: object) -> object:
    if not isinstance(value, dict):
        return None if value is None else _checked(value)
    return {name: _checked(files) for name, files in value.items()}


FileNames = Annotated[str | tuple[str, ...], BeforeValidator(_checked)]
DevFiles = Annotated[
    str | tuple[str, ...] | dict[str, str | tuple[str, ...]], BeforeValidator(_checked_dev)
]
