"""How many sentences a second does prediction see, beside a padded loop of transformers?

One model, fine-tuned on SST for a while, is opened by both from its run folder. transformers:
batches of 32 in the file's order, padded to the longest, fp32. mtbert: what `mtbert evaluate`
does. Tokenized before the clock runs, both.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tabulate import tabulate
from torch import Tensor

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
    ratios,
    tokenized,
)
from benchmarks.peers import padded_prediction
from mtbert.config.load import parse_settings
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.inference.model import MultitaskModel
from mtbert.inference.predict import compute_outputs
from mtbert.training.run import train

ROUNDS = 3
STEPS = 120
"""Steps of fine-tuning, so that the answers are those of a trained model."""
SENTENCES = 2048
THEIRS = "transformers fp32, padded"
CPU = torch.device("cpu")


def run(rounds: int) -> Result:
    """Train, let all take turns, compare the labels."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _train(folder / "run")
        contestants: dict[str, Callable[[], Turn]] = {
            THEIRS: partial(_theirs, folder),
            "mtbert fp32": partial(_ours, folder, "fp32"),
            "mtbert auto": partial(_ours, folder, "auto"),
        }
        turns = interleave(contestants, rounds)
        labels = {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}
    middle = medians(turns)
    speed = {
        n: ratios(turns, "sentences_per_second", n, THEIRS) for n in contestants if n != THEIRS
    }
    differ = {n: float(np.mean(labels[n] != labels[THEIRS])) for n in contestants}
    rows = [
        [n, middle[n]["sentences_per_second"], speed.get(n, {}).get("median"), f"{differ[n]:.2%}"]
        for n in contestants
    ]
    headers = ["", "sentences/s", "times faster", "labels that differ"]
    return Result(
        f"Prediction, {SENTENCES} sentences of SST, medians of {rounds} rounds",
        tabulate(rows, headers, floatfmt=("", ".0f", ".2f", "")),
        data_in_use()
        | {
            "sentences": SENTENCES,
            "batch": BATCH,
            "rounds": rounds,
            "fine_tuning_steps": STEPS,
            "auto_is": str(compute_dtype("auto", CPU)).removeprefix("torch."),
        },
        turns,
        {"medians": middle, "faster": speed, "labels_that_differ": differ},
        [busy_note(turns)],
    )


def _train(output: Path) -> None:
    training = {
        "epochs": 1, "steps_per_epoch": STEPS, "learning_rate": 1e-4, "clip": 1.0,
        "schedule": "linear", "warmup": 0.1,
    }  # fmt: skip
    tree = configuration("sst", data={"cache": False}, training=training)
    logging.disable(logging.WARNING)
    train(parse_settings(tree, "benchmark"), output)


def _ours(folder: Path, precision: str) -> Turn:
    keep_freed_memory()
    model = MultitaskModel.from_pretrained(folder / "run")
    model.network.encoder.compute_dtype = compute_dtype(precision, CPU)
    _, source = tokenized("sst", SENTENCES)

    def predict() -> NDArray[np.int64]:
        labels: NDArray[np.int64] = compute_outputs(model.network, "sst", source).argmax(axis=1)
        return labels

    return partial(_timed, predict, folder / f"mtbert {precision}.npy")


def _theirs(folder: Path) -> Turn:
    model = peers.transformers().AutoModel.from_pretrained(folder / "run" / "model").eval()
    head = load_file(folder / "run" / "model" / "heads.safetensors")
    _, source = tokenized("sst", SENTENCES)

    def answer(inputs: dict[str, Tensor]) -> Tensor:
        first: Tensor = model(**inputs).last_hidden_state[:, 0]
        return first @ head["sst.linear.weight"].T + head["sst.linear.bias"]

    def predict() -> NDArray[np.int64]:
        labels: NDArray[np.int64] = padded_prediction.predict(answer, source, BATCH, CPU).argmax(1)
        return labels

    return partial(_timed, predict, folder / f"{THEIRS}.npy")


def _timed(predict: Callable[[], NDArray[np.int64]], file: Path, number: int) -> dict[str, float]:
    if number == 0:
        predict()  # what is done once for each shape
    watch = Stopwatch()
    labels = predict()
    spent = watch.read()
    np.save(file, labels)
    return spent | {"sentences_per_second": len(labels) / spent["seconds"]}
