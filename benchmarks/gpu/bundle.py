"""Records of finished runs as one file: no weights, no text, and no labels of the course's data."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

__all__ = ["RECORDS", "pack", "records_folder", "unpack"]

RECORDS = "records.tar.gz"


def records_folder(work: Path, study: str) -> Path:
    """Where a study's results are exported to."""
    return work / "records" / study


def pack(work: Path, output: Path) -> Path | None:
    """Write the records that there are, if they are others than those written last."""
    root = work / "records"
    files = sorted(
        file
        for file in root.rglob("*.json")
        if file.is_file() and not file.name.startswith(("labels-", "."))
    )
    if not files:
        return None
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.relative_to(root).as_posix())
            content = file.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(raw.getvalue(), mtime=0)
    path = output / RECORDS
    if not (path.is_file() and path.read_bytes() == packed):
        partial = output / f".{RECORDS}.partial"
        partial.write_bytes(packed)
        partial.replace(path)
    return path


def unpack(output: Path, work: Path) -> None:
    """Put the records of an earlier pass where its studies look for them."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / RECORDS
    if path.is_file():
        (work / "records").mkdir(parents=True, exist_ok=True)
        with tarfile.open(path) as archive:
            archive.extractall(work / "records", filter="data")
