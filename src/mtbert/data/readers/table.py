"""The supported file formats, and detection of a file's own."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from mtbert.config.format import FormatSettings
from mtbert.data.readers import csv, json_document, jsonl, parquet
from mtbert.data.readers.base import MAX_LINE, Reader, Table
from mtbert.data.readers.compressed import from_start, is_gzip, unpacked
from mtbert.data.readers.foreign import what_it_is
from mtbert.errors import UserError
from mtbert.io.bounded import refuse_pointer

__all__ = ["READERS", "SEEN", "open_table", "read_table"]

READERS: tuple[Reader, ...] = (parquet, json_document, jsonl, csv)
"""The first that recognises a file reads it."""

SEEN = FormatSettings()
"""Everything is seen from the file."""


def open_table(path: Path) -> BinaryIO:
    """Open a data file for reading.

    Raises:
        UserError: it does not exist or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read: {reason}") from None


def read_table(stream: BinaryIO, name: str, form: FormatSettings = SEEN) -> Table:
    """The rows of a stream, whose name and first line tell the format; gzip is unpacked.

    Args:
        stream: at its start.
        name: for messages.
        form: how a CSV or TSV file is written, as far as that is known.

    Raises:
        UserError: the stream is empty, a Git LFS pointer or of another kind, its header cannot be
            used, or its first line is too long.
    """
    first = stream.readline(MAX_LINE + 1)
    if not first:
        raise UserError(f"{name}: empty file, expected a header line and rows")
    refuse_pointer(first, name)
    if is_gzip(first):
        stream = unpacked(name, from_start(first, stream))
        first = stream.readline(MAX_LINE + 1)
        if not first:
            raise UserError(f"{name}: holds an empty file, expected a header line and rows")
    reader = next(reader for reader in READERS if reader.recognises(name, first))
    if reader is not parquet and (told := what_it_is(name, first)):
        raise UserError(f"{name}: {told}")
    return reader.read(name, first, stream, form)
