"""How long does one AdamW step on the packaged encoder take, beside torch's?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tabulate import tabulate
from torch.optim import Optimizer

from benchmarks.common import Result, Stopwatch, busy_note, medians, ratios, say
from mtbert.config.tasks import TaskSettings
from mtbert.hardware.device import keep_freed_memory
from mtbert.model.encoders.base import Encoder
from mtbert.model.hub import PACKAGED
from mtbert.model.network import MultitaskNetwork
from mtbert.training.optimizer import AdamW, parameter_groups

ROUNDS = 7
STEPS = 5
OURS = "mtbert"
_RATES: dict[str, Any] = {"learning_rate": 1e-6, "head_learning_rate": 1e-6, "weight_decay": 0.01}


def run(rounds: int) -> Result:
    """Time steps of every optimizer in turn, on the same parameters and gradients."""
    keep_freed_memory()
    torch.set_flush_denormal(True)
    contestants, count = prepare()
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, optimizer in contestants.items():
            turns[name].append(_measure(optimizer))
        say(f"round {number + 1}/{rounds}")
    middle = medians(turns)
    over = {name: ratios(turns, "ms", name, OURS) for name in turns}
    rows = [[name, middle[name]["ms"], over[name]["median"]] for name in turns]
    return Result(
        f"AdamW, one step on {count / 1e6:.1f} M parameters",
        tabulate(rows, ["", "ms", f"{OURS} is faster by"], floatfmt=("", ".1f", ".2f")),
        {"parameters": count, "rounds": rounds, "steps_a_round": STEPS},
        turns,
        {"medians": middle, "over": over},
        [
            "torch as it comes on a CPU is its loop over parameters; glibc keeps freed memory.",
            busy_note(turns),
        ],
    )


def prepare() -> tuple[dict[str, Optimizer], int]:
    """The contestants, and the number of parameters they share; every gradient is dense."""
    task = TaskSettings(kind="classification", labels=tuple("01234"), train="-")
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), {"sst": task})
    groups: Callable[[], list[dict[str, object]]] = lambda: parameter_groups(  # noqa: E731
        network.partition.shared, network.partition.all_heads, **_RATES
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 1e-3
    contestants: dict[str, Optimizer] = {
        OURS: AdamW(groups()),
        "torch as it comes": torch.optim.AdamW(groups()),
        "torch foreach": torch.optim.AdamW(groups(), foreach=True),
        "torch fused": torch.optim.AdamW(groups(), fused=True),
    }
    return contestants, sum(parameter.numel() for parameter in network.parameters())


def _measure(optimizer: Optimizer) -> dict[str, float]:
    optimizer.step()
    watch = Stopwatch()
    for _ in range(STEPS):
        optimizer.step()
    spent = watch.read()
    return {"ms": spent["seconds"] / STEPS * 1e3, "others": spent["others"]}
