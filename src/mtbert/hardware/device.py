"""The device a run computes on, its precision, and settings of its memory allocator."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mtbert.config.settings import Settings
from mtbert.errors import UserError

__all__ = [
    "compute_deterministically",
    "compute_dtype",
    "flushed_denormals",
    "keep_freed_memory",
    "precision_reason",
    "resolve_device",
    "return_freed_memory",
    "usable_device",
]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def resolve_device(settings: Settings, local_rank: int | None = None) -> torch.device:
    """The device asked for; `auto` is a GPU if there is one. Also sets the thread number.

    Args:
        settings: of the run.
        local_rank: of several processes on this machine, the number of this one, which is that
            of its GPU.

    Raises:
        UserError: no such device here.
    """
    if settings.threads != "auto":
        torch.set_num_threads(settings.threads)
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if local_rank is not None and name.startswith("cuda"):
        return _own_gpu(name, local_rank)
    device = usable_device(name)
    if device.type != "cuda":
        return device
    # With its number, since `cuda` and `cuda:0` are not equal; and as the current device, which is
    # the one that torch's events, streams and memory limits mean.
    if device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    torch.cuda.set_device(device)
    return device


def usable_device(name: str) -> torch.device:
    """The device of a name, such as `cuda:1`.

    Raises:
        UserError: no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"device: {name!r} cannot be used here: {reason}") from None
    return device


def _own_gpu(name: str, local_rank: int) -> torch.device:
    if name != "cuda":
        raise UserError(
            f"device: found {name!r}, but each of several processes takes the GPU of its number; "
            "write cuda"
        )
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise UserError(
            f"device: {count} GPUs here, but at least {local_rank + 1} processes; start as many "
            "as there are GPUs, or set device=cpu"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)  # NCCL's messages go by it
    return device


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype of the forward and backward passes.

    `auto` takes bf16 where it is the faster one: on GPUs that have it, on CPUs with AMX, and on
    AMD's with AVX512-BF16. Intel's AVX512-BF16 without AMX multiplies bf16 at half the speed of
    fp32 (docs/performance.md), so there `auto` is fp32.
    """
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    return torch.bfloat16 if _fast_bf16(device)[0] else torch.float32


def precision_reason(precision: str, device: torch.device) -> str:
    """Why `compute_dtype` takes what it takes, for people."""
    return _fast_bf16(device)[1] if precision == "auto" else "asked for"


def _fast_bf16(device: torch.device) -> tuple[bool, str]:
    """Whether bf16 is the faster one, and why."""
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return True, "this GPU computes in bf16"
        return False, "this GPU does not compute in bf16"
    if device.type != "cpu":
        return False, f"bf16 is not measured on {device.type}"
    processor = torch.cpu.get_capabilities()
    if processor.get("amx_bf16"):
        return True, "this processor has AMX"
    if not processor.get("avx512_bf16"):
        return False, "this processor has no bf16 instructions"
    if "intel" in str(processor["cpu_name"]).lower():
        return False, "AVX512-BF16 without AMX is slower than fp32 on Intel's processors"
    return True, "this processor has AVX512-BF16"


def compute_deterministically(wanted: bool, device: torch.device) -> None:
    """Let torch refuse operations that are not deterministic, or allow them."""
    if wanted and device.type == "cuda":
        # cuBLAS repeats itself only with a workspace of its own; read when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if wanted != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(wanted)  # takes a second


def keep_freed_memory() -> None:
    """Let glibc keep the memory a step frees: the next step needs the same amounts again.

    By default large blocks go back to the kernel at once and every step pays their page faults
    anew. Elsewhere than on glibc nothing happens.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def return_freed_memory() -> None:
    """Give back to the kernel what glibc has kept. Elsewhere than on glibc nothing happens."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., Any] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Flush denormals (numbers below 1e-38) to zero inside the context.

    The moments of embedding rows that no batch touches any more decay to such numbers, and with
    them an update of the optimizer takes ten times as long. Threads inherit the setting from the
    one that starts them: enter before the first computation of the process.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
