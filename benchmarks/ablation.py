"""What does each thing that makes a training step fast give, on this processor?

The contestant of benchmarks/training.py beside itself with one of them taken away, in the precision
that `auto` picks. Each lives in a process of its own and they take turns, so a ratio is fair.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor
from torch.nn import Parameter

from benchmarks import training
from benchmarks.common import (
    Result,
    Turn,
    busy_note,
    data_in_use,
    interleave,
    medians,
    ratios,
)
from mtbert.model import attention
from mtbert.model.encoders.base import Encoder
from mtbert.training.optimizer import AdamW

ROUNDS = 5
WHOLE = "as it is"


def run(rounds: int) -> Result:
    """Let the step and its reduced forms take turns."""
    names = [WHOLE, *REDUCED]
    turns = interleave({name: partial(contestant, name) for name in names}, rounds)
    middle = medians(turns)
    gains = {name: ratios(turns, "tokens_per_second", WHOLE, name) for name in REDUCED}
    rows = [
        [name, middle[name]["tokens_per_second"], gains.get(name, {}).get("median")]
        for name in names
    ]
    return Result(
        f"What each measure gives, SST, random batches of 32, medians of {rounds} rounds",
        tabulate(rows, ["", "real tokens/s", "factor it gives"], floatfmt=("", ".0f", ".2f")),
        data_in_use() | {"rounds": rounds, "precision": training.dtype_of(training.AUTO)},
        turns,
        {"medians": middle, "factor": gains},
        [busy_note(turns)],
    )


def contestant(name: str) -> Turn:
    """The step with one measure taken away; each has a process of its own to change."""
    if name != WHOLE:
        REDUCED[name]()
    return training.ours("sst", "auto")


def _each_sequence_in_a_chunk_of_its_own() -> None:
    def pack(lengths: list[int]) -> dict[int, list[list[int]]]:
        return {max(lengths): [[i] for i in range(len(lengths))]}

    attention._pack = pack  # type: ignore[assignment]


def _no_shared_shapes() -> None:
    """Chunks as long as their sequences need: a new number of slots in nearly every step."""
    attention._CHUNK, attention._STEP = 1, 1


def _whole_last_layer() -> None:
    encode = Encoder.encode

    def whole(self: Encoder, *args: object, first_only: bool = False, **options: object) -> Tensor:
        hidden = encode(self, *args, **options)  # type: ignore[arg-type]
        layout: attention.Layout = args[2]  # type: ignore[assignment]
        return hidden.index_select(0, layout.starts) if first_only else hidden

    Encoder.encode = whole  # type: ignore[method-assign]


def _dense_vocabulary_gradient() -> None:
    def dense(encoder: Encoder, dtype: torch.dtype, device: torch.device, **_: object) -> None:
        encoder.compute_dtype = dtype

    training.fit_encoder = dense  # type: ignore[attr-defined]


def _plain_optimizer() -> None:
    AdamW._update = _update_by_passes  # type: ignore[method-assign]


def _update_by_passes(
    self: AdamW,
    group: dict[str, Any],
    step: int,
    parameters: list[Parameter],
    grad_scale: Tensor | None,
    found_inf: Tensor | None,
) -> None:
    """The course's update as a chain of torch's multi-tensor operations."""
    beta1, beta2 = group["betas"]
    step_size = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    grads = [self._dense(p) for p in parameters]
    if grad_scale is not None:
        torch._foreach_div_(grads, grad_scale)
    means = [self.state[p]["exp_avg"] for p in parameters]
    squares = [self.state[p]["exp_avg_sq"] for p in parameters]
    torch._foreach_lerp_(means, grads, 1 - beta1)
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
    scale = torch._foreach_sqrt(squares)
    torch._foreach_add_(scale, group["eps"])
    weights: list[Tensor] = list(parameters)
    torch._foreach_addcdiv_(weights, means, list(scale), -step_size)
    for parameter in parameters:
        self._clear(parameter)


REDUCED: dict[str, Callable[[], None]] = {
    "every sequence padded to the longest": _each_sequence_in_a_chunk_of_its_own,
    "chunks of any length": _no_shared_shapes,
    "last layer for every token": _whole_last_layer,
    "dense gradient of the vocabulary": _dense_vocabulary_gradient,
    "AdamW as a chain of passes": _plain_optimizer,
}
