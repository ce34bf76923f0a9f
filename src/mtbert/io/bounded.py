"""Bounded reads of untrusted files: regular files, limited sizes, UTF-8, JSON with unique keys."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mtbert.errors import UserError
from mtbert.io.paths import expanded, is_file, is_folder

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "expanded",
    "is_file",
    "is_folder",
    "open_regular",
    "read_bytes",
    "read_json",
    "read_json_list",
    "read_lines",
    "refuse_pointer",
    "unique_keys",
    "why_invalid",
]

_LARGEST = 4 << 20
"""Bytes of a JSON file, which takes up to thirty times as much memory."""

_LONGEST = 1 << 20
"""Bytes of a line of JSON."""

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How the small text begins that git holds in the place of a file that Git LFS stores."""

_LARGEST_LOG = 1 << 28
"""Bytes of a file of such lines, of which one is held at a time."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file that is neither a folder nor a device, nor a pipe that nobody writes to.

    Raises:
        FileNotFoundError: it is not there.
        UserError: it is something else, is a Git LFS pointer, or cannot be read.
    """
    try:
        # a pipe that nobody writes to would be waited for
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read: {reason}") from None
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UserError(f"{path}: cannot be read: not a regular file")
    try:
        refuse_pointer(stream.peek(len(_LFS_POINTER)), str(path))
    except UserError:
        stream.close()
        raise
    return stream


def refuse_pointer(start: bytes, name: str) -> None:
    """Refuse the text that git keeps in the place of a file that Git LFS stores.

    Raises:
        UserError: `start`, the first bytes of the file `name`, is that text's.
    """
    if start.startswith(_LFS_POINTER):
        raise UserError(
            f"{name}: is a Git LFS pointer, not the file itself; fetch the file with `git lfs "
            "pull` in its repository, or download it again"
        )


def read_bytes(path: Path, largest: int) -> bytes:
    """The content of a file of at most `largest` bytes.

    Raises:
        FileNotFoundError: it is not there.
        UserError: larger, or `open_regular` refuses it.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        raw = stream.read(largest + 1) if size <= largest else b""
    if max(size, len(raw)) > largest:
        raise UserError(f"{path}: {max(size, len(raw))} bytes, expected at most {largest}")
    return raw


def read_json(path: Path, largest: int = _LARGEST) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        FileNotFoundError: it is not there.
        UserError: `read_bytes` refuses it, or it is no JSON object of unique keys.
    """
    raw = read_bytes(path, largest)
    try:
        return _object(raw)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, it cannot be read: {error}") from None


def read_json_list(path: Path) -> list[Any]:
    """The array that a JSON file holds.

    Raises:
        FileNotFoundError: it is not there.
        UserError: `read_bytes` refuses it, or it is no JSON array of values with unique keys.
    """
    raw = read_bytes(path, _LARGEST)
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=unique_keys)
        if not isinstance(value, list):
            raise ValueError(f"expected a JSON array, found {type(value).__name__}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, it cannot be read: {error}") from None
    return value


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, one at a time.

    Raises:
        UserError: it is not there, `open_regular` refuses it, or a line is no JSON object of unique
            keys, or too long.
    """
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    with stream:
        read = 0
        for number in itertools.count(1):
            raw = stream.readline(_LONGEST + 1)
            read += len(raw)
            if not raw:
                return
            if len(raw) > _LONGEST or read > _LARGEST_LOG:
                raise UserError(f"{path}:{number}: longer than a file of this kind can be")
            try:
                yield _object(raw)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}:{number}: damaged: {error}") from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: of two equal keys it would keep the last and say nothing.

    Raises:
        ValueError: a key occurs twice.
    """
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _object(raw: bytes) -> dict[str, Any]:
    value = json.loads(raw.decode("utf-8"), object_pairs_hook=unique_keys)
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def why_invalid(error: ValidationError) -> str:
    """The first thing that a pydantic model did not like, on one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) + f": {first['msg'].lower()}"
