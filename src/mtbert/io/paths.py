"""Names of files and folders as users write them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["expanded", "is_file", "is_folder"]


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is no error."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; a name that no folder can have is no error."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def expanded(name: str) -> Path:
    """The path that a name means, `~` read as the shell reads it."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # no such user
        return Path(name)
