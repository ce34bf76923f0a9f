"""How long does one AdamW step on the packaged encoder take, and which block size is best?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from tabulate import tabulate
from torch.optim import Optimizer

from benchmarks.common import Result, Stopwatch, busy_note, medians, ratios, say
from mtbert.model.encoder import Encoder
from mtbert.model.locate import PACKAGED
from mtbert.model.multitask import MultitaskNetwork
from mtbert.settings import TaskSettings
from mtbert.training import optimizer as ours
from mtbert.training.device import keep_freed_memory

ROUNDS = 7
STEPS = 5
BLOCKS = (14, 15, 16, 17, 18, 19, 20, 62)
"""Powers of two; 2^62 is everything at once."""
_RATES = {"learning_rate": 1e-6, "head_learning_rate": 1e-6, "weight_decay": 0.01}

Contestants = dict[str, tuple[Optimizer, int]]


def run(rounds: int) -> Result:
    """Time steps of every optimizer in turn, on the same parameters and gradients."""
    chosen = ours._BLOCK
    keep_freed_memory()
    torch.set_flush_denormal(True)
    contestants, count = prepare()
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, (optimizer, block) in contestants.items():
            turns[name].append(_measure(optimizer, block))
        say(f"round {number + 1}/{rounds}")
    ours._BLOCK = chosen
    middle = medians(turns)
    fused = {name: ratios(turns, "ms", "torch fused", name) for name in turns}
    mine = _name(chosen.bit_length() - 1)
    rows = [
        [name + (" (in use)" if name == mine else ""), middle[name]["ms"], fused[name]["median"]]
        for name in turns
    ]
    return Result(
        f"AdamW, one step on {count / 1e6:.1f} M parameters",
        tabulate(rows, ["", "ms", "speed / torch fused"], floatfmt=("", ".1f", ".2f")),
        {"parameters": count, "rounds": rounds, "steps_a_round": STEPS, "block_in_use": chosen},
        turns,
        {"medians": middle, "torch_fused_over": fused},
        [
            "torch as it comes on a CPU is its loop over parameters; glibc keeps freed memory.",
            busy_note(turns),
        ],
    )


def prepare() -> tuple[Contestants, int]:
    """The contestants with their block sizes, and the number of parameters they share."""
    task = TaskSettings(kind="classification", labels=tuple("01234"), train="-")
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), {"sst": task})
    groups: Callable[[], list[dict[str, object]]] = lambda: ours.parameter_groups(  # noqa: E731
        network.shared_parameters(), network.head_parameters(), **_RATES
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 1e-3
    contestants: Contestants = {
        _name(power): (ours.AdamW(groups()), 1 << power) for power in BLOCKS
    }
    for name, options in {"as it comes": {}, "foreach": {"foreach": True}}.items():
        contestants[f"torch {name}"] = (torch.optim.AdamW(groups(), **options), 0)
    contestants["torch fused"] = (torch.optim.AdamW(groups(), fused=True), 0)
    return contestants, sum(parameter.numel() for parameter in network.parameters())


def _name(power: int) -> str:
    return "mtbert, no blocks" if power > 32 else f"mtbert, blocks of 2^{power}"


def _measure(optimizer: Optimizer, block: int) -> dict[str, float]:
    if block:
        ours._BLOCK = block
    optimizer.step()
    watch = Stopwatch()
    for _ in range(STEPS):
        optimizer.step()
    spent = watch.read()
    return {"ms": spent["seconds"] / STEPS * 1e3, "others": spent["others"]}
