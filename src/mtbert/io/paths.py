"""Names of files and folders as users write them."""

from __future__ import annotations

import glob
from pathlib import Path

__all__ = ["expanded", "is_file", "is_folder", "matching"]


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


def matching(pattern: Path) -> list[Path]:
    """The files that match a pattern (`*`, `?`, `[…]`, `**` for any folders), by their names."""
    try:
        found = glob.glob(str(pattern), recursive=True)  # noqa: PTH207
    except ValueError:  # a NUL
        return []
    return [path for path in sorted(map(Path, found)) if is_file(path)]
