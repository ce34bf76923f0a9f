"""What travels to a machine with a GPU, and how large it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["LIMIT", "sizes", "table"]

LIMIT = 60_000_000
"""Bytes of everything that travels."""

_LEFT_OUT = (".git", ".venv", "__pycache__", "runs", "build", "dist")


def sizes(checkout: Path, **parts: Path | None) -> dict[str, int]:
    """Bytes of the tracked files and of each part that is given."""
    return {"checkout": _checkout(checkout)} | {
        name: below(path) for name, path in parts.items() if path is not None
    }


def table(found: dict[str, int]) -> str:
    """One line a part, and the sum beside the limit."""
    total = sum(found.values())
    lines = [f"{name:<10}{count / 1e6:8.2f} MB" for name, count in found.items()]
    verdict = "fits" if total <= LIMIT else "TOO LARGE"
    return "\n".join(
        [*lines, f"{'together':<10}{total / 1e6:8.2f} MB of {LIMIT / 1e6:.0f}: {verdict}"]
    )


def below(path: Path) -> int:
    """Bytes of a file, or of the files below a folder."""
    if path.is_file():
        return path.stat().st_size
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _checkout(root: Path) -> int:
    """Tracked files; without git, all but what is built."""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        files = [f for f in root.rglob("*") if not set(f.parts) & set(_LEFT_OUT)]
    else:
        files = [root / name for name in found.stdout.decode().split("\0") if name]
    return sum(file.stat().st_size for file in files if file.is_file())
