"""How do time and memory of an epoch grow with data, sequence length, tasks and encoder?

One of the four is changed at a time. Each point lives in a process of its own and trains through
the run's own loop. Steps are measured for a few seconds and scaled to an epoch; the plan of the
epoch is made in full and counted in.

    python -m benchmarks.scaling RESULT.json FIGURE.svg

draws the figure from a stored result.
"""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Generator

from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    busy_note,
    data_in_use,
    memory_mb,
    say,
    tokenized,
)
from mtbert.config.load import parse_settings
from mtbert.data.batches import TokenizedSet
from mtbert.data.ragged import Ragged
from mtbert.distributed.processes import ALONE
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.hardware.memory import Memory
from mtbert.hardware.runtime import Runtime
from mtbert.inference.evaluate import Evaluation
from mtbert.methods.sampling.base import EpochSpec
from mtbert.methods.sampling.epoch import plan_epoch
from mtbert.methods.sampling.method3 import Method3
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.network import MultitaskNetwork
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance
from mtbert.training.phases.base import Phase, PhaseData
from mtbert.training.trainer import Trainer

ROUNDS = 1
SECONDS = 4.0
"""Measured at each point, at least three steps."""
WARM_UP = 3
VOCABULARY = 30_522
ENCODERS = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "packaged": (6, 384),
    "medium": (8, 512),
    "base": (12, 768),
}
"""Layers and hidden size; `packaged` is the size of the packaged encoder. Weights are random."""


@dataclass(frozen=True)
class Point:
    """What is trained: the defaults are what the other axes are held at."""

    axis: str
    examples: int = 10_000
    length: int | None = None
    """Tokens of every sequence; None: those of SST."""
    tasks: int = 1
    encoder: str = "packaged"


AXES: dict[str, list[Point]] = {
    "examples": [Point("examples", n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)],
    "length": [Point("length", length=n) for n in (16, 32, 64, 128, 256, 512)],
    "tasks": [Point("tasks", tasks=n) for n in (1, 2, 4, 8)],
    "encoder": [Point("encoder", encoder=name) for name in ENCODERS],
}
LABELS = {
    "examples": "training examples",
    "length": "tokens of a sequence",
    "tasks": "tasks, 10,000 examples each",
    "encoder": "parameters of the layers",
}


def run(rounds: int, axes: Mapping[str, Sequence[Point]] = AXES) -> Result:
    """Measure every point `rounds` times and fit a slope to each axis."""
    figures: dict[str, list[dict[str, float]]] = {}
    context = multiprocessing.get_context("spawn")
    for number in range(rounds):
        for axis, points in axes.items():
            for point in points:
                with ProcessPoolExecutor(1, context) as worker:
                    found = worker.submit(measure, point, number).result()
                name = f"{axis} {found['x']:,.0f}"
                figures.setdefault(name, []).append(found)
                say(f"{name}: {found['seconds_per_epoch']:.1f} s an epoch")
    curves = {axis: _curve(figures, axis) for axis in axes}
    rows = [
        [LABELS[axis] if i == 0 else "", f"{x:,.0f}", seconds, memory, slope if i == 0 else None]
        for axis, curve in curves.items()
        for slope in [curve["slope"]]
        for i, (x, seconds, memory) in enumerate(
            zip(curve["x"], curve["seconds_per_epoch"], curve["peak_mb"], strict=True)
        )
    ]
    headers = ["", "", "seconds an epoch", "peak MB", "slope"]
    return Result(
        "Cost of an epoch as the work grows (slope: of log seconds against log x)",
        tabulate(rows, headers, floatfmt=("", "", ".1f", ".0f", ".2f")),
        data_in_use()
        | {
            "batch": BATCH,
            "rounds": rounds,
            "measured_seconds": SECONDS,
            "scaled": "steps are measured for a few seconds and scaled to an epoch",
            "encoders": {name: {"layers": n, "hidden": w} for name, (n, w) in ENCODERS.items()},
            "labels": {axis: LABELS[axis] for axis in axes},
        },
        figures,
        {"curves": curves},
        [busy_note(figures)],
    )


def _curve(figures: Mapping[str, Sequence[Mapping[str, float]]], axis: str) -> dict[str, Any]:
    """Medians along an axis, and the slope of their logarithms."""
    rows = [turns for name, turns in figures.items() if name.split()[0] == axis]
    columns = {
        key: [float(np.median([turn[key] for turn in turns])) for turns in rows]
        for key in ("x", "seconds_per_epoch", "tokens_per_second", "peak_mb")
    }
    slope = np.polyfit(np.log(columns["x"]), np.log(columns["seconds_per_epoch"]), 1)[0]
    return {**columns, "slope": float(slope)}


def measure(point: Point, number: int) -> dict[str, float]:
    """Time and memory of one point, in this process."""
    logging.disable(logging.WARNING)
    keep_freed_memory()
    names = [f"task{i}" for i in range(point.tasks)]
    sources = {name: _source(point, seed) for seed, name in enumerate(names)}
    spec = EpochSpec(
        examples=dict.fromkeys(names, point.examples),
        batch_size=dict.fromkeys(names, BATCH),
        epochs=1,
    )
    network = _network(point, names)
    watch = Stopwatch()
    start = time.perf_counter()
    steps = sum(1 for _ in plan_epoch(Method3(), spec, 0, number))
    planning = time.perf_counter() - start
    step = _train(network, sources, spec, min(WARM_UP, steps), number)[0]
    count = min(steps, max(3, math.ceil(SECONDS / step)))
    step, tokens = _train(network, sources, spec, count, number)
    layers = sum(p.numel() for p in network.encoder.layers.parameters())
    values = {
        "examples": point.examples,
        "length": point.length or 0,
        "tasks": point.tasks,
        "encoder": layers,
    }
    return {
        "x": float(values[point.axis]),
        "seconds_per_epoch": planning + steps * step,
        "planning_seconds": planning,
        "steps_per_epoch": steps,
        "measured_steps": count,
        "tokens_per_second": tokens / (count * step),
        "peak_mb": memory_mb("VmHWM"),
        "others": watch.read()["others"],
    }


def _train(
    network: MultitaskNetwork,
    sources: Mapping[str, TokenizedSet],
    spec: EpochSpec,
    count: int,
    seed: int,
) -> tuple[float, int]:
    """Seconds a step and tokens in all, of so many steps of the loop."""
    settings = _settings(list(sources), count)
    data = PhaseData(
        sources=sources,
        ids=dict.fromkeys(sources, ()),
        class_weights=dict.fromkeys(sources),
        evaluate=_no_scores,
    )
    phase = Phase(
        name="all",
        epochs=1,
        spec=replace(spec, max_steps=count),
        trains_encoder=True,
        trains_own=True,
        learning_rate=5e-5,
        head_learning_rate=5e-5,
        prepare=lambda: data,
    )
    runtime = Runtime(
        device=torch.device("cpu"),
        dtype=network.encoder.compute_dtype or torch.float32,
        memory=Memory(),
        processes=ALONE,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        run_folder = RunFolder(Path(folder) / "run", settings, Provenance({}, {}), resume=False)
        trainer = Trainer(network, [phase], settings.training, runtime, run_folder)
        trainer.train()
        run_folder.close()
    return trainer.state.step_seconds / count, trainer.state.tokens


def _no_scores(network: MultitaskNetwork) -> Evaluation:
    return Evaluation({"task0": {"accuracy": 0.0}}, {}, {}, {}, {"task0": 0.0})


def _settings(names: Sequence[str], count: int) -> Any:
    task = {"kind": "classification", "labels": list("01234"), "train": "-", "dev": "-"}
    # No checkpoint within the measured steps.
    training = {"clip": 1.0, "checkpoint_every": count + 1, "gradients_every": count + 2}
    return parse_settings({"tasks": dict.fromkeys(names, task), "training": training}, "benchmark")


def _network(point: Point, names: Sequence[str]) -> MultitaskNetwork:
    layers, width = ENCODERS[point.encoder]
    encoder = BertEncoder(
        EncoderConfig(
            vocab_size=VOCABULARY,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64 if point.encoder != "packaged" else 12,
            intermediate_size=4 * width,
            max_position_embeddings=512,
        )
    )
    generator = Generator().manual_seed(0)
    encoder.initialise(generator)
    encoder.compute_dtype = compute_dtype("auto", torch.device("cpu"))
    network = MultitaskNetwork(encoder, _settings(names, 1).tasks)
    for head in network.heads.values():
        head.initialise(generator)
    return network


def _source(point: Point, seed: int) -> TokenizedSet:
    """Random tokens, in sequences of one length or of SST's lengths."""
    draw = np.random.default_rng(seed)
    if point.length is None:
        lengths = draw.choice(tokenized("sst")[1].lengths, point.examples)
    else:
        lengths = np.full(point.examples, point.length)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    values: NDArray[np.int32] = draw.integers(0, VOCABULARY, offsets[-1], dtype=np.int32)
    labels = draw.integers(0, 5, point.examples).astype(np.float64)
    return TokenizedSet((Ragged(values, offsets),), lengths, labels, 0)


def draw(result: Path, figure: Path) -> None:
    """The four curves of a stored result: seconds above, memory below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    stored = json.loads(result.read_text("utf-8"))
    curves, labels = stored["summary"]["curves"], stored["setup"]["labels"]
    style: Any = {
        "svg.hashsalt": "mtbert", "svg.fonttype": "none", "font.size": 9,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    # Two colours of Okabe and Ito's palette; the marks differ too.
    series = [
        ("seconds_per_epoch", "seconds an epoch", "#0072B2", "o"),
        ("peak_mb", "peak memory, MB", "#D55E00", "s"),
    ]
    with matplotlib.rc_context(style):
        drawing, panels = plt.subplots(
            2, len(curves), figsize=(2.6 * len(curves), 4.6), sharex="col", sharey="row",
            squeeze=False, layout="constrained",
        )  # fmt: skip
        for column, (axis, curve) in enumerate(curves.items()):
            for panel, (key, label, colour, mark) in zip(panels[:, column], series, strict=True):
                panel.plot(curve["x"], curve[key], color=colour, marker=mark, markersize=4)
                panel.set_xscale("log")
                panel.xaxis.set_minor_locator(NullLocator())
                panel.set_xticks(curve["x"], [_short(x) for x in curve["x"]], rotation=45)
                if key == "peak_mb":
                    panel.set_ylim(0, 1.05 * max(max(c[key]) for c in curves.values()))
                else:
                    panel.set_yscale("log")
                    panel.yaxis.set_minor_locator(NullLocator())
                    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _short(y)))
                panel.grid(alpha=0.25)
                if column == 0:
                    panel.set_ylabel(label)
            panels[0, column].set_title(f"slope {curve['slope']:.2f}", fontsize=9)
            panels[1, column].set_xlabel(labels[axis])
        drawing.savefig(figure, metadata={"Date": None} if figure.suffix == ".svg" else None)
        plt.close(drawing)


def _short(value: float) -> str:
    """1000 as 1k, 10616832 as 10.6M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
