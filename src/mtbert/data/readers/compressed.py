"""Files compressed by gzip, unpacked while they are read: within bounds, damage named."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO, cast

from mtbert.errors import UserError

__all__ = ["Rejoined", "from_start", "is_gzip", "unpacked"]

_FREE = 64 << 20
"""Bytes that any file may unpack to."""

_MOST = 200
"""Bytes unpacked for a byte packed, beyond that; texts come to ten, deflate can a thousand."""


def is_gzip(first: bytes) -> bool:
    """Whether these are the first bytes of a file compressed by gzip, whatever its name."""
    return first.startswith(b"\x1f\x8b")


def from_start(first: bytes, stream: BinaryIO) -> BinaryIO:
    """A stream of which these bytes have been taken, as it was before."""
    if stream.seekable():
        stream.seek(-len(first), io.SEEK_CUR)
        return stream
    return cast(BinaryIO, io.BufferedReader(Rejoined(first, stream)))


def unpacked(name: str, packed: BinaryIO) -> BinaryIO:
    """What a compressed stream holds; it can be read twice if the stream can.

    Args:
        name: for messages.
        packed: at its start.

    Raises:
        UserError: while it is read: it is damaged, ends early, or unpacks to more than
            64 MiB and two hundred times its size.
    """
    return cast(BinaryIO, io.BufferedReader(_Unpacked(name, packed), buffer_size=1 << 16))


class Rejoined(io.RawIOBase):
    """Bytes that were taken from a stream, and the rest of it."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Some bytes; 0 at the end."""
        if self._start:
            part, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        else:
            part = getattr(self._rest, "read1", self._rest.read)(len(buffer))
        buffer[: len(part)] = part
        return len(part)


class _Counted:
    """A stream that counts its bytes, with what `gzip` asks of a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.count = stream, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        found = self._stream.seek(position, whence)
        self.count = found
        return found


class _Unpacked(io.RawIOBase):
    def __init__(self, name: str, packed: BinaryIO) -> None:
        self._name, self._packed = name, _Counted(packed)
        self._gzip = gzip.GzipFile(fileobj=self._packed, mode="rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._packed.seekable()

    def tell(self) -> int:
        return self._gzip.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._gzip.seek(position, whence)
        except (EOFError, OSError, zlib.error) as error:
            raise self._damaged(error) from None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = self._gzip.readinto(buffer)
        except (EOFError, OSError, zlib.error) as error:
            raise self._damaged(error) from None
        out = self._gzip.tell()
        if out > _FREE and out > _MOST * self._packed.count:
            raise UserError(
                f"{self._name}: unpacks to more than {_MOST} times its size; this is no table of "
                "texts; if it is, unpack it yourself (gunzip)"
            )
        return count

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"{self._name}: damaged, it cannot be unpacked ({str(error).rstrip('.')}); download or "
            "pack it again"
        )
