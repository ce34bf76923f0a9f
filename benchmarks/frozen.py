"""What do ten epochs of head training on a frozen encoder cost, in passes of the encoder?

mtbert: a real run with `encoder.mode: frozen` on SST; its features are computed once. Beside it
the usual way, which runs the frozen encoder (transformers, padded, fp32) in each epoch: a sample
of its steps is measured and scaled to ten epochs.
"""

from __future__ import annotations

import logging
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks import peers
from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    Turn,
    busy_note,
    configuration,
    data_in_use,
    interleave,
    medians,
    steps,
    tokenized,
)
from benchmarks.peers import frozen_encoder
from mtbert.config.load import parse_settings
from mtbert.data.batches import TokenizedSet
from mtbert.model.hub import PACKAGED, locate
from mtbert.training.run import train

ROUNDS = 3
EPOCHS = 10
WARM_UP = 2
SAMPLE = 20
"""Steps of the usual way that are measured."""


def run(rounds: int) -> Result:
    """Let both take turns."""
    turns = interleave({"mtbert": _ours, "encoder in every epoch": _usual}, rounds)
    middle = medians(turns)
    ours, usual = middle["mtbert"], middle["encoder in every epoch"]
    rows = [
        ["one pass of the encoder", ours["encoding_seconds"], 1.0],
        [f"{EPOCHS} epochs of the head", ours["step_seconds"], ours["passes"] - 1],
        ["both", ours["encoding_seconds"] + ours["step_seconds"], ours["passes"]],
        ["encoder in every epoch (scaled)", usual["seconds_of_all_epochs"], None],
    ]
    return Result(
        f"Frozen encoder, SST, {EPOCHS} epochs of a linear head, medians of {rounds} rounds",
        tabulate(rows, ["", "seconds", "encoder passes"], floatfmt=".2f"),
        data_in_use() | {"epochs": EPOCHS, "batch": BATCH, "rounds": rounds, "sample": SAMPLE},
        turns,
        {
            "medians": middle,
            "times_less": usual["seconds_of_all_epochs"]
            / (ours["encoding_seconds"] + ours["step_seconds"]),
        },
        [busy_note(turns)],
    )


def _ours() -> Turn:
    logging.disable(logging.WARNING)
    return _our_turn


def _our_turn(number: int) -> dict[str, float]:
    training = {"epochs": EPOCHS, "batch_size": BATCH}
    tree = configuration(
        "sst", encoder={"mode": "frozen"}, data={"cache": False}, training=training, seed=number
    )
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        summary = train(parse_settings(tree, "benchmark"), Path(folder) / "run")
    encoding, stepping = summary["encoding_seconds"], summary["step_seconds"]
    return watch.read() | {
        "encoding_seconds": encoding,
        "step_seconds": stepping,
        "evaluation_seconds": summary["evaluation_seconds"],
        "steps": summary["steps"],
        "passes": (encoding + stepping) / encoding,
    }


def _usual() -> Turn:
    _, source = tokenized("sst")
    model = peers.transformers().AutoModel.from_pretrained(locate(PACKAGED)).eval()
    return partial(_usual_turn, source, model)


def _usual_turn(source: TokenizedSet, model: Any, number: int) -> dict[str, float]:
    train = frozen_encoder.head_step(model, source, outputs=5, learning_rate=1e-3)
    plan = steps({"sst": source}, number, WARM_UP + SAMPLE)
    for step in plan[:WARM_UP]:
        train(step["sst"].indices)
    watch = Stopwatch()
    for step in plan[WARM_UP:]:
        train(step["sst"].indices)
    spent = watch.read()
    batches = -(-len(source) // BATCH)
    return spent | {"seconds_of_all_epochs": spent["seconds"] / SAMPLE * batches * EPOCHS}
