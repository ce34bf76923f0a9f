"""What this machine is, and how fast it multiplies matrices: the upper bound for training."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "QUIET",
    "SHAPES",
    "Stopwatch",
    "ceilings",
    "computes_bf16",
    "memory_mb",
    "processor_fields",
    "processor_name",
    "product_kinds",
    "product_speeds",
]

SHAPES = (
    (384, 384),
    (384, 1152),
    (384, 1536),
    (1536, 384),
    (768, 768),
    (768, 3072),
    (3072, 768),
)
"""Widths in and out of the linear layers of the packaged encoder and of BERT-base."""
TOKENS = {"cpu": 1024, "cuda": 16384}
"""Rows of a product: about as many as a batch of 32 to 256 sentences has tokens."""
_SECONDS = 0.1
ONEDNN = "fp32 oneDNN"
"""Has no gradient in torch, so it is no ceiling of training; measured for comparison."""

QUIET = 0.05
"""A larger share of the processor taken by others makes figures useless: threads that wait for
one another lose far more than what is taken from them."""

_CPU = torch.device("cpu")


class Stopwatch:
    """Time since it was made, and what share of the processor others took meanwhile.

    What this process's children took counts as its own once they have ended.
    """

    def __init__(self) -> None:
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._start = time.perf_counter()

    def read(self) -> dict[str, float]:
        """`seconds`, and `others`: 0 on an idle machine, 1 where nothing was left to us."""
        seconds = time.perf_counter() - self._start
        foreign = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return {"seconds": seconds, "others": max(0.0, foreign / seconds / (os.cpu_count() or 1))}


def _own_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _busy_seconds() -> float:
    """Processor seconds used by anyone since boot, time stolen by other guests included.

    Elsewhere than on Linux, NaN.
    """
    file = Path("/proc/stat")
    if not file.is_file():
        return float("nan")
    user, nice, system, _, _, irq, softirq, steal = map(int, file.read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def processor_fields() -> dict[str, str]:
    """The first processor of /proc/cpuinfo, by field; {} elsewhere than on Linux."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return {}
    first = file.read_text().split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def processor_name(device: torch.device = _CPU) -> str:
    """What the processor, or the GPU, calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = processor_fields().get("model name") or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def computes_bf16(device: torch.device = _CPU) -> bool:
    """Whether there are bf16 instructions; without them bf16 is only emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def memory_mb(what: str) -> float:
    """This process's memory: `VmRSS` now, `VmHWM` at its peak; NaN elsewhere than on Linux."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def product_kinds(device: torch.device = _CPU) -> list[str]:
    """Kinds of matrix products that can be measured here."""
    found = ["fp32"]
    if device.type == "cpu" and torch.backends.mkldnn.is_available():
        found.append(ONEDNN)
    if computes_bf16(device):
        found.append("bf16")
    return found


def product_speeds(kind: str, device: torch.device = _CPU) -> dict[str, float]:
    """GFLOP/s of each of `SHAPES`, by its name."""
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    linear = _onednn_linear if kind == ONEDNN else functional.linear
    return {f"{m} -> {n}": _speed(linear, dtype, device, m, n) for m, n in SHAPES}


def ceilings(device: torch.device = _CPU) -> Mapping[str, float]:
    """GFLOP/s of the fastest shape in each kind of numbers that training can use."""
    kinds = [kind for kind in product_kinds(device) if kind != ONEDNN]
    return {kind: max(product_speeds(kind, device).values()) for kind in kinds}


def _speed(
    linear: Callable[..., Tensor], dtype: torch.dtype, device: torch.device, m: int, n: int
) -> float:
    tokens = TOKENS.get(device.type, TOKENS["cpu"])
    x = torch.randn(tokens, m, dtype=dtype, device=device)
    weight = torch.randn(n, m, dtype=dtype, device=device)
    bias = torch.zeros(n, dtype=dtype, device=device)
    for _ in range(3):
        linear(x, weight, bias)
    repeats = 0
    _wait(device)
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < _SECONDS:
        for _ in range(4):
            linear(x, weight, bias)
        _wait(device)
        repeats += 4
    return 2 * tokens * m * n * repeats / spent / 1e9


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return result
