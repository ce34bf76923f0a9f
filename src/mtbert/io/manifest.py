"""Sizes and sha256 of a finished model's files, written last and checked whenever it is read.

    mtbert.files.json    {"format": 1, "files": {"config.json": [size, sha256], …}}

They find damage, not forgery: who can change a file can change its sum. The model card is for
people and may be edited, so it is not among them.
"""

from __future__ import annotations

from pathlib import Path

from mtbert.errors import UserError, shown
from mtbert.io import atomic
from mtbert.io.bounded import is_file, read_json
from mtbert.io.hashing import file_sha256

__all__ = ["SUMS", "check_sums", "write_sums"]

SUMS = "mtbert.files.json"
FORMAT = 1

_CARD = "README.md"
_WEIGHTS = ("config.json", "model.safetensors")


def write_sums(folder: Path) -> None:
    """Note every file of a folder as it is now, but for the model card."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name not in (SUMS, _CARD))
    files = {n: [(folder / n).stat().st_size, file_sha256(folder / n)] for n in names}
    atomic.write_json(folder / SUMS, {"format": FORMAT, "files": files})


def check_sums(folder: Path) -> None:
    """Refuse a folder with a file that is not as it was written; one without sums is not checked.

    Raises:
        UserError: names the file.
    """
    try:
        found = read_json(folder / SUMS)
    except FileNotFoundError:
        return
    if found.get("format") != FORMAT:
        raise UserError(
            f"{folder / SUMS}: format {shown(found.get('format'))}, this mtbert reads {FORMAT}; "
            "use the version that wrote it"
        )
    files = found.get("files")
    if not isinstance(files, dict) or not set(_WEIGHTS) <= files.keys():
        raise UserError(f"{folder / SUMS}: damaged: no sizes and sums of {', '.join(_WEIGHTS)}")
    for name, sums in files.items():
        if not name.isprintable() or Path(name).name != name or not isinstance(sums, list):
            raise UserError(f"{folder / SUMS}: damaged at {shown(name)}")
        problem = _problem(folder / name, sums)
        if problem is not None:
            raise UserError(
                f"{folder / name}: {problem}; take the model again from where it came from (or "
                f"remove {SUMS}, if the change was meant)"
            )


def _problem(file: Path, sums: list[object]) -> str | None:
    """What is wrong with a file, or None."""
    if not is_file(file):
        return "missing"
    try:
        size = file.stat().st_size
        if size != sums[0]:
            return f"damaged: {size} bytes, written were {shown(sums[0])}"
        return None if [size, file_sha256(file)] == sums else "damaged: not the bytes written"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except IndexError:
        return "no size and sum of it"
