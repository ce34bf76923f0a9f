"""How many floating-point operations a second can this processor do at BERT's shapes?

The fastest matrix product found is the ceiling that training is measured against.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional

from benchmarks.common import Result, Stopwatch, busy_note, computes_bf16, medians, say

ROUNDS = 5
TOKENS = 1024
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
_SECONDS = 0.1


def run(rounds: int) -> Result:
    """Measure every shape in every kind of numbers."""
    turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds()}
    for number in range(rounds):
        for kind in turns:
            watch = Stopwatch()
            turns[kind].append(products(kind) | {"others": watch.read()["others"]})
        say(f"round {number + 1}/{rounds}")
    middle = medians(turns)
    shapes = [_name(m, n) for m, n in SHAPES]
    best = {kind: max(values[shape] for shape in shapes) for kind, values in middle.items()}
    rows = [[shape, *(middle[kind][shape] for kind in middle)] for shape in shapes]
    return Result(
        f"Matrix products of {TOKENS} tokens, GFLOP/s",
        tabulate([*rows, ["best", *best.values()]], ["shape", *middle], floatfmt=".0f"),
        {"tokens": TOKENS, "rounds": rounds, "unit": "GFLOP/s"},
        turns,
        {"medians": middle, "best": best},
        [
            "fp32 is torch's default; fp32 oneDNN has no gradient in torch and is for comparison.",
            busy_note(turns),
        ],
    )


def measure(number: int) -> dict[str, float]:
    """A turn among others: the best shape's GFLOP/s in each kind of numbers."""
    watch = Stopwatch()
    best = {kind: max(products(kind).values()) for kind in kinds() if kind != "fp32 oneDNN"}
    return best | {"others": watch.read()["others"]}


def turn() -> Callable[[int], dict[str, float]]:
    """A contestant for `interleave`."""
    return measure


def kinds() -> list[str]:
    """Kinds of products that can be measured here."""
    found = ["fp32"]
    if torch.backends.mkldnn.is_available():
        found.append("fp32 oneDNN")
    if computes_bf16():
        found.append("bf16")
    return found


def products(kind: str) -> dict[str, float]:
    """GFLOP/s of each shape."""
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    linear = _onednn_linear if kind == "fp32 oneDNN" else functional.linear
    return {_name(m, n): _speed(linear, dtype, m, n) for m, n in SHAPES}


def _name(m: int, n: int) -> str:
    return f"{m} -> {n}"


def _speed(linear: Callable[..., Tensor], dtype: torch.dtype, m: int, n: int) -> float:
    x, weight = torch.randn(TOKENS, m, dtype=dtype), torch.randn(n, m, dtype=dtype)
    bias = torch.zeros(n, dtype=dtype)
    for _ in range(3):
        linear(x, weight, bias)
    repeats, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < _SECONDS:
        linear(x, weight, bias)
        repeats += 1
    return 2 * TOKENS * m * n * repeats / spent / 1e9


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return result
