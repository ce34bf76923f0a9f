"""The files of a task in a configuration: a name, a pattern, one of the Hub, or a list."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from mtbert.config.fields import file_name
from mtbert.config.hub_names import with_split
from mtbert.errors import shown

__all__ = ["DevFiles", "Files", "TestFiles", "TrainFiles", "is_pattern", "listed", "names_of"]

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


def _checked(value: object, split: str) -> Files:
    """A name or a list of names; one in a list is the same as that one.

    Args:
        value: to be checked.
        split: of a data set of the Hub, where the name does not say it.

    Raises:
        ValueError: neither.
    """
    if isinstance(value, str):
        return with_split(file_name(value), split)
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"expected the name of a file or a list of names, found {shown(value)}")
    names = []
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"expected a list of names of files, found {shown(name)} in it")
        names.append(with_split(file_name(name), split))
    return names[0] if len(names) == 1 else tuple(names)


def _checked_dev(value: object) -> object:
    if isinstance(value, float) and 0 < value < 1:
        raise ValueError(f"found {value}; to hold out a share write {100 * value:g}%")
    if not isinstance(value, dict):
        return None if value is None else _checked(value, "validation")
    return {name: _checked(files, "validation") for name, files in value.items()}


def _optional(split: str) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else _checked(value, split))


TrainFiles = Annotated[str | tuple[str, ...], _optional("train")]
TestFiles = Annotated[str | tuple[str, ...], _optional("test")]
DevFiles = Annotated[
    str | tuple[str, ...] | dict[str, str | tuple[str, ...]], BeforeValidator(_checked_dev)
]
