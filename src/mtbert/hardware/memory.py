"""Out-of-memory recovery: detect it, free what was held, and retry with less at a time.

Memory has run out when an allocation fails, or when the process has exceeded
`training.memory_limit`. On CPUs the limit is compared with the peak resident set size, which the
kernel keeps anyway; that costs two small files of /proc for each step. On a GPU torch's own
allocator enforces it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch

from mtbert.errors import UserError
from mtbert.hardware.device import return_freed_memory

__all__ = ["SMALLER", "TOKEN_BUDGET", "Memory", "OutOfMemory", "advising", "ran_out", "size"]

TOKEN_BUDGET = 8192
"""Tokens of an evaluation batch while memory suffices."""

SMALLER = "a smaller encoder, a shorter `encoder.max_length` or `training.precision: bf16`"
"""What takes less memory, however much is computed at once."""

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"

_ALLOCATORS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc",
               "ALLOC_FAILED")  # fmt: skip
"""What torch's allocators and libraries say when they raise nothing more special."""

_CPU = torch.device("cpu")

_Result = TypeVar("_Result")


class OutOfMemory(UserError):
    """The work does not fit into memory; the message says what helps."""


class Memory:
    """The memory that a process may use.

    Attributes:
        limit: bytes, or None.
        token_budget: tokens of an evaluation batch; halved where they do not fit.
    """

    def __init__(self, limit: int | None = None, device: torch.device = _CPU) -> None:
        """Set the limit.

        Raises:
            UserError: it cannot be kept on this device or system.
        """
        self.limit, self.token_budget = limit, TOKEN_BUDGET
        self._device = device
        if limit is None:
            return
        if device.type == "cuda":
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)
        elif device.type != "cpu" or not _STATUS.exists():
            raise UserError(
                "training.memory_limit: memory is measured on GPUs, and on CPUs under Linux; here "
                f"the device is {device.type} and the system {sys.platform}; leave the key out"
            )

    def fit(self, attempt: Callable[[], _Result], smaller: Callable[[str], None]) -> _Result:
        """The result of `attempt`, once it fits into memory.

        Args:
            attempt: begins afresh each time that it is called.
            smaller: is told what was needed; makes the next attempt smaller, or raises.
        """
        while True:
            try:
                return self._within_limit(attempt)
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                reason = _reason(error)
            # Only here is what the attempt held let go of: the exception held its frames.
            smaller(reason)
            self._give_back()

    def _within_limit(self, attempt: Callable[[], _Result]) -> _Result:
        if self.limit is None or self._device.type != "cpu":
            return attempt()
        # Where the kernel does not let the peak be reset, what is held at the end; that is close to
        # the peak, for glibc keeps what a step frees.
        kind = "VmHWM" if _forget_peak() else "VmRSS"
        result = attempt()
        used = _resident(kind)
        if used > self.limit:
            raise MemoryError(f"needed {size(used)}, the limit is {size(self.limit)}")
        return result

    def _give_back(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            return_freed_memory()


@contextmanager
def advising() -> Iterator[None]:
    """Turn running out of memory, where nothing can be made smaller, into a message to the user.

    Raises:
        OutOfMemory: instead of what torch or Python raise.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise OutOfMemory(
            f"out of memory: {_reason(error)}; {SMALLER} helps, or less data at once"
        ) from None


def ran_out(error: BaseException) -> bool:
    """Whether an exception means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _ALLOCATORS)


def size(count: int) -> str:
    """Bytes for people: `512 MB`, `1.25 GB`, in units of 1000."""
    if count >= 10**9:
        return f"{count / 10**9:.2f} GB"
    return f"{count / 10**6:.0f} MB" if count >= 10**6 else f"{count} bytes"


def _reason(error: BaseException) -> str:
    """What was needed and what there is, in the words of who raised it."""
    lines = str(error).strip().splitlines()
    told = lines[0] if lines else type(error).__name__
    return told.split(" Of the allocated memory")[0].rstrip(".;")


def _forget_peak() -> bool:
    """Let the kernel count the peak from now; False where it does not let us."""
    try:
        _CLEAR.write_text(_FORGET_PEAK)
    except OSError:
        return False
    return True


def _resident(kind: str) -> int:
    """Bytes of resident memory: `VmRSS` now, `VmHWM` at the peak."""
    status = _STATUS.read_text("utf-8").splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith(kind))
