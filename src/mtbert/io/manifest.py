"""Manifests: sizes and SHA-256 of a folder's files, written last and checked when it is read.

    mtbert.files.json    {"format": 1, "files": {"config.json": [size, sha256], …}}

is that of a finished model. A manifest finds damage, not forgery: who can change a file can change
its entry. The model card is for people and may be edited, so it is not among a model's files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtbert.errors import UserError, shown
from mtbert.io import atomic
from mtbert.io.bounded import is_file, read_json
from mtbert.io.hashing import file_sha256

__all__ = ["MANIFEST", "check_manifest", "damage", "entries", "write_manifest"]

MANIFEST = "mtbert.files.json"
MANIFEST_FORMAT = 1

_CARD = "README.md"
_WEIGHTS = ("config.json", "model.safetensors")


def write_manifest(folder: Path) -> None:
    """Record every file of a model's folder as it is now, but for the model card."""
    files = [p for p in folder.iterdir() if p.is_file() and p.name not in (MANIFEST, _CARD)]
    content = {"format": MANIFEST_FORMAT, "files": entries(files)}
    atomic.write_json(folder / MANIFEST, content)


def check_manifest(folder: Path) -> None:
    """Refuse a model with a file that is not as it was written; without a manifest, check nothing.

    Raises:
        UserError: names the file.
    """
    try:
        found = read_json(folder / MANIFEST)
    except FileNotFoundError:
        return
    if found.get("format") != MANIFEST_FORMAT:
        raise UserError(
            f"{folder / MANIFEST}: format {shown(found.get('format'))}, this mtbert reads "
            f"{MANIFEST_FORMAT}; use the version that wrote it"
        )
    files = found.get("files")
    if not isinstance(files, dict) or not set(_WEIGHTS) <= files.keys():
        raise UserError(f"{folder / MANIFEST}: damaged: no sizes and sums of {', '.join(_WEIGHTS)}")
    for name, entry in files.items():
        if not name.isprintable() or Path(name).name != name or not isinstance(entry, list):
            raise UserError(f"{folder / MANIFEST}: damaged at {shown(name)}")
        problem = damage(folder / name, entry)
        if problem is not None:
            raise UserError(
                f"{folder / name}: {problem}; fetch the model again from its source (or "
                f"remove {MANIFEST}, if the change was meant)"
            )


def entries(files: Iterable[Path]) -> dict[str, list[int | str]]:
    """Size and SHA-256 of each file as it is now, by its name, in the order of the names."""
    return {f.name: [f.stat().st_size, file_sha256(f)] for f in sorted(files)}


def damage(file: Path, entry: list[object]) -> str | None:
    """What tells a file from the one of its entry, or None."""
    if not is_file(file):
        return "missing"
    try:
        size = file.stat().st_size
        if size != entry[0]:
            return f"damaged: {size} bytes, expected {shown(entry[0])}"
        return None if [size, file_sha256(file)] == entry else "damaged: its content has changed"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except IndexError:
        return "no size and sum of it"
