"""An on-disk cache of arrays, keyed by everything that determines them, so never out of date.

An entry is one safetensors file that contains a digest of its key and content: an entry that is
damaged, truncated or misnamed is detected and rebuilt. Writes are atomic, so runs may share the
folder; if two write the same entry, the later one replaces an identical file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.hashing import file_sha256

__all__ = ["Cache", "content_key", "file_digest", "open_cache"]

Arrays = dict[str, NDArray[Any]]

_LIMIT = 4 << 30
"""Bytes of all entries together; the least recently used ones go first."""
_SUFFIX = ".mtbert-cache"
_DIGEST = "digest"

_log = logging.getLogger(__name__)


def open_cache(setting: bool | str) -> Cache | None:
    """The cache that `data.cache` asks for, or None: `false` or `off`, or the folder's name.

    `true` is MTBERT_CACHE (`off`: none), or else `mtbert` in the user's folder for caches:
    XDG_CACHE_HOME or ~/.cache, on macOS ~/Library/Caches, on Windows LOCALAPPDATA.
    """
    asked = (os.environ.get("MTBERT_CACHE") or True) if setting is True else setting
    if asked is False or asked == "off":
        return None
    try:
        folder = _users_caches() / "mtbert" if asked is True else Path(asked).expanduser()
    except RuntimeError:  # a user without a home
        return None
    return Cache(folder)


def content_key(parts: Mapping[str, Any]) -> str:
    """The cache key that these JSON values determine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None where it cannot be read."""
    try:
        return file_sha256(path)
    except OSError:
        return None


class Cache:
    """Arrays in one folder, by key. Any failure is a warning and a cache miss, never an error."""

    def __init__(self, folder: Path, limit: int = _LIMIT) -> None:
        """Args: the folder, created on the first write; the bytes that it may hold."""
        self.folder = folder
        self.limit = limit

    def get(self, key: str) -> Arrays | None:
        """The arrays under a key, or None."""
        path = self._path(key)
        try:
            arrays: Arrays = load_file(path)
            found = arrays.pop(_DIGEST, np.zeros(0)).tobytes()
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            _log.warning("%s: cannot be read (%s); rebuilt", path, error)
            return None
        if found != _digest(key, arrays):
            _log.warning("%s: damaged; rebuilt", path)
            return None
        with suppress(OSError):
            os.utime(path)
        return arrays

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key."""
        digest = np.frombuffer(_digest(key, arrays), np.uint8)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic.new_file(self._path(key)) as stream:
                stream.buffer.write(save({**arrays, _DIGEST: digest}))
        except (OSError, UserError) as error:
            _log.warning("the cache cannot be written: %s", error)
            return
        self._prune()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _prune(self) -> None:
        """Remove the least recently used entries, and what killed runs left behind."""
        entries = []
        for path in self.folder.glob(f"*{_SUFFIX}*"):
            with suppress(OSError):  # another run may have removed it
                entries.append((path.stat().st_mtime, path.stat().st_size, path))
        total = 0
        for _, size, path in sorted(entries, reverse=True):
            total += size
            if total > self.limit:
                with suppress(OSError):
                    path.unlink()


def _digest(key: str, arrays: Arrays) -> bytes:
    digest = hashlib.sha256(key.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _users_caches() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
