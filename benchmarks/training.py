"""How many real tokens a second does fine-tuning see, beside transformers' Trainer?

Everyone trains the packaged encoder with a head on one task: SST (`training`), or STS, where each
pair is one sequence and the target a number (`pairs`). Random batches of 32, the same for all,
dropout on, forward + backward + clipping at 1.0 + AdamW. Padding is not counted.

One Trainer is given length-grouped batches instead, from transformers' own sampler.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Generator

from benchmarks import ceiling, peers
from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    Timer,
    Turn,
    busy_note,
    computes_bf16,
    data_in_use,
    interleave,
    medians,
    ratios,
    steps,
    tokenized,
)
from benchmarks.peers import trainer
from mtbert.commands.bench import step_flops
from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import TokenizedSet
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.methods.sampling.base import SuperBatch
from mtbert.model.encoders.base import Encoder
from mtbert.model.encoders.execution import fit_encoder
from mtbert.model.hub import PACKAGED, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.table import objective_of
from mtbert.training.gradients import GradientOptions, compute_gradients, total_norm
from mtbert.training.optimizer import AdamW, parameter_groups

ROUNDS = 3
WARM_UP = 3
STEPS = 12
RATE = 5e-5
CLIP = 1.0

TRAINERS = {
    "Trainer fp32": (False, False),
    "Trainer bf16": (True, False),
    "Trainer bf16, by length": (True, True),
}
"""Whether in bf16, and whether with batches of similar length."""
PRECISIONS = ("fp32", "bf16", "auto")
AUTO = "mtbert auto"

TASK = "task"
"""The one task's name in our network."""


def run(rounds: int, data: str) -> Result:
    """Let all contestants, and the ceiling, take turns on one task."""
    turns = interleave(contestants(data), rounds)
    products = turns.pop("ceiling")
    middle, top = medians(turns), medians({"ceiling": products})["ceiling"]
    del top["others"]
    shares = {name: middle[name]["gflops"] / top[dtype_of(name)] for name in turns}
    against = {n: ratios(turns, "tokens_per_second", AUTO, n) for n in turns if n in TRAINERS}
    rows = [
        [
            name,
            middle[name]["tokens_per_second"],
            middle[name]["gflops"],
            f"{shares[name]:.0%} of {dtype_of(name)}",
            against.get(name, {}).get("median"),
        ]
        for name in turns
    ]
    headers = ["", "real tokens/s", "GFLOP/s", "share of ceiling", f"{AUTO} is faster by"]
    return Result(
        f"Training speed, {data.upper()}, random batches of {BATCH}, medians of {rounds} rounds",
        tabulate(rows, headers, floatfmt=("", ".0f", ".0f", "", ".2f")),
        data_in_use()
        | {
            "task": data,
            "batch": BATCH,
            "rounds": rounds,
            "steps_a_round": STEPS,
            "warm_up_steps": WARM_UP,
            "clip": CLIP,
            "auto_is": dtype_of(AUTO),
            "flops": "6 x parameters of the layers x real tokens, and attention",
        },
        turns | {"ceiling": products},
        {"medians": middle, "ceiling_gflops": top, "share": shares, "auto_over": against},
        [
            "ceiling: " + ", ".join(f"{kind} {value:.0f} GFLOP/s" for kind, value in top.items()),
            f"{AUTO} computes in {dtype_of(AUTO)} on this processor.",
            busy_note(turns | {"ceiling": products}),
        ],
    )


def contestants(data: str) -> dict[str, Callable[[], Turn]]:
    """Everyone this processor can run; emulated bf16 would say nothing."""
    everyone = {name: partial(theirs, data, *options) for name, options in TRAINERS.items()}
    everyone |= {f"mtbert {precision}": partial(ours, data, precision) for precision in PRECISIONS}
    able = {n: make for n, make in everyone.items() if "bf16" not in n or computes_bf16()}
    return able | {"ceiling": ceiling.turn}


def dtype_of(name: str) -> str:
    """`fp32` or `bf16`: what a contestant computes in."""
    if name == AUTO:
        return "bf16" if compute_dtype("auto", torch.device("cpu")) is torch.bfloat16 else "fp32"
    return "bf16" if "bf16" in name else "fp32"


def figures(lengths: NDArray[np.int64], spent: dict[str, float]) -> dict[str, float]:
    """Speed from what was seen, real tokens alone.

    Operations are counted for all layers and all tokens, whether or not a contestant finds a way
    to leave some out.
    """
    return spent | {
        "tokens": int(lengths.sum()),
        "tokens_per_second": int(lengths.sum()) / spent["seconds"],
        "gflops": step_flops(_encoder(), lengths) / spent["seconds"] / 1e9,
    }


@functools.cache
def _encoder() -> Encoder:
    return Encoder.from_pretrained(PACKAGED)


# mtbert


def ours(data: str, precision: str) -> Turn:
    """A contestant: fresh weights each turn, then warm-up, then the measured steps."""
    keep_freed_memory()
    torch.set_flush_denormal(True)
    task, source = tokenized(data)
    return partial(_our_turn, task, source, compute_dtype(precision, torch.device("cpu")))


def _our_turn(
    task: TaskSettings, source: TokenizedSet, dtype: torch.dtype, number: int
) -> dict[str, float]:
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), {TASK: task})
    network.head(TASK).initialise(Generator().manual_seed(number))
    fit_encoder(network.encoder, dtype, torch.device("cpu"))
    train = _our_step(network, source, Generator().manual_seed(number))
    plan = steps({TASK: source}, number, WARM_UP + STEPS)
    for step in plan[:WARM_UP]:
        train(step)
    watch = Stopwatch()
    for step in plan[WARM_UP:]:
        train(step)
    spent = watch.read()
    seen = np.concatenate([step[TASK].indices for step in plan[WARM_UP:]])
    return figures(source.lengths[seen], spent)


def _our_step(
    network: MultitaskNetwork, source: TokenizedSet, dropout: Generator
) -> Callable[[SuperBatch], None]:
    shared = list(network.partition.shared.values())
    optimizer = AdamW(
        parameter_groups(
            network.partition.shared,
            network.partition.all_heads,
            learning_rate=RATE,
            head_learning_rate=RATE,
            weight_decay=0.0,
        )
    )

    def train(step: SuperBatch) -> None:
        compute_gradients(
            network,
            step,
            {TASK: source},
            class_weights={TASK: None},
            shared=shared,
            options=GradientOptions(dropout=dropout),
        )
        optimizer.step(grad_scale=(total_norm(network.parameters()) / CLIP).clamp(min=1))
        optimizer.zero_grad()

    return train


# transformers


def theirs(data: str, bf16: bool, grouped: bool) -> Turn:
    """A contestant: the real Trainer, with what it does by default."""
    peers.transformers()
    task, source = tokenized(data)
    return partial(_trainer_turn, task, source, bf16, grouped)


def _trainer_turn(
    task: TaskSettings, source: TokenizedSet, bf16: bool, grouped: bool, number: int
) -> dict[str, float]:
    model = peers.transformers().BertForSequenceClassification.from_pretrained(
        locate(PACKAGED), num_labels=objective_of(task).outputs(task)
    )
    options = trainer.Options(
        batch=BATCH,
        warm_up=WARM_UP,
        steps=STEPS,
        learning_rate=RATE,
        seed=number + 1,
        clip=CLIP,
        bf16=bf16,
    )
    if grouped:
        order = trainer.grouped_order(source.lengths, options, number)
    else:
        order = _random_order(source, number)
    label = int if task.kind.is_classification else float
    timer = Timer()
    trainer.train(model, trainer.rows(source, order, label), options, timer)
    return figures(source.lengths[order[WARM_UP * BATCH :]], timer.spent)


def _random_order(source: TokenizedSet, number: int) -> list[int]:
    """The examples of the round's batches, one batch after another: those that mtbert trains on."""
    plan = steps({TASK: source}, number, WARM_UP + STEPS)
    return [int(i) for step in plan for i in step[TASK].indices]
