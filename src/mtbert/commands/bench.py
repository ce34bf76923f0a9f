"""`mtbert bench`: what this machine uses, and how close training comes to its peak."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbert.commands.base import add_json, add_overrides, json_text
from mtbert.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mtbert.config.settings import Settings
    from mtbert.inference.evaluate import EvaluationSet
    from mtbert.inference.model import MultitaskModel
    from mtbert.model.encoders.base import Encoder

__all__ = ["HELP", "add_arguments", "bench", "bench_table", "run", "step_flops"]

HELP = "what this machine uses, and how fast it trains"

_WARM_UP = ("training.epochs=1", "training.steps_per_epoch=4")
_MEASURED = ("training.epochs=3",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_overrides(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Measure; print a table, or JSON."""
    found = bench(options.override)
    print(json_text(found) if options.json else bench_table(found))


def bench(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train and evaluate on the demo data, beside the matrix products of the same machine.

    It takes a minute or two and leaves no files. A training step is the run's own: forward,
    backward and update of three tasks, one after the other, without gradient surgery.

    Args:
        overrides: of the demo's configuration, as in `threads=1` or `encoder.path=FOLDER`.

    Raises:
        UserError: an override is wrong, or the encoder cannot be had.
    """
    import tempfile

    import numpy as np
    import torch

    from mtbert.hardware.device import precision_reason, resolve_device
    from mtbert.hardware.machine import Stopwatch, ceilings, processor_name
    from mtbert.inference.evaluate import evaluate
    from mtbert.inference.model import MultitaskModel
    from mtbert.training.run import train

    settings = _settings(overrides)
    device = resolve_device(settings)
    watch = Stopwatch()
    ceiling = ceilings(device)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        train(_settings([*_WARM_UP, *overrides]), Path(folder) / "warm-up")
        summary = train(_settings([*_MEASURED, *overrides]), Path(folder) / "run")
        model = MultitaskModel.from_pretrained(
            Path(folder) / "run", device=str(device), precision=settings.training.precision
        )
        sets = _sets(settings, model)
        evaluate(model.network, sets)
        sentences, seconds = _sentences(settings, sets), _time(model, sets)
    precision = summary["precision"]
    lengths = np.concatenate([side.lengths for part in sets for side in part.inputs.sequences])  # type: ignore[union-attr]
    flops = step_flops(model.network.encoder, lengths) / lengths.sum()
    speed = summary["tokens_per_second"]
    best = ceiling.get(precision)
    return {
        "processor": processor_name(device),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "versions": {"mtbert": __version__, "torch": str(torch.__version__)},
        "precision": precision,
        "precision_reason": precision_reason(settings.training.precision, device),
        "onednn": torch.backends.mkldnn.is_available(),
        "attention": "matrix products over chunks of sequences, nearly without padding",
        "encoder": settings.encoder.path,
        "ceiling_gflops": dict(ceiling),
        "training_tokens_per_second": speed,
        "training_gflops": flops * speed / 1e9,
        "share_of_ceiling": None if best is None else flops * speed / 1e9 / best,
        "evaluation_sentences_per_second": sentences / seconds,
        "peak_memory_mb": _peak_memory(device),
        "others": watch.read()["others"],
    }


def step_flops(encoder: Encoder, lengths: NDArray[np.int64]) -> float:
    """Floating-point operations of forward and backward over sequences of these lengths.

    Two a token and parameter of the layers and as many for each of two positions in attention
    (scores, then the weighted sum), three times over: once forward, twice backward. Embeddings,
    heads, norms and the optimizer are not counted.

    Args:
        encoder: gives its size.
        lengths: `[sequences]`, real tokens.
    """
    parameters = sum(parameter.numel() for parameter in encoder.layers.parameters())
    attention = 4 * len(encoder.layers) * encoder.config.hidden_size
    squares = float((lengths.astype("float64") ** 2).sum())
    return 3 * (2 * parameters * float(lengths.sum()) + attention * squares)


def bench_table(found: Mapping[str, Any]) -> str:
    """What `bench` found, for people."""
    from tabulate import tabulate

    from mtbert.hardware.machine import QUIET

    share = found["share_of_ceiling"]
    rows = [
        ("processor", found["processor"]),
        ("device", f"{found['device']}, {found['threads']} threads"),
        ("torch", f"{found['versions']['torch']}, oneDNN {'yes' if found['onednn'] else 'no'}"),
        ("precision", f"{found['precision']}: {found['precision_reason']}"),
        ("attention", found["attention"]),
        *(
            (f"matrix products, {kind}", f"{value:,.0f} GFLOP/s")
            for kind, value in found["ceiling_gflops"].items()
        ),
        ("training", f"{found['training_tokens_per_second']:,.0f} real tokens/s"),
        (
            "",
            f"{found['training_gflops']:,.0f} GFLOP/s"
            + ("" if share is None else f", {share:.0%} of the {found['precision']} ceiling"),
        ),
        ("evaluation", f"{found['evaluation_sentences_per_second']:,.0f} sentences/s"),
        ("peak memory", f"{found['peak_memory_mb']:,.0f} MB"),
    ]
    table = tabulate(rows, tablefmt="plain", disable_numparse=True)
    if found["others"] > QUIET:
        table += (
            f"\nOther processes took {found['others']:.0%} of the processor: these figures are too "
            "low, perhaps by far."
        )
    return table


def _settings(overrides: Sequence[str]) -> Settings:
    from mtbert.config.load import load_config

    return load_config("demo", ["training.surgery=none", *overrides])


def _sets(settings: Settings, model: MultitaskModel) -> list[EvaluationSet]:
    """The training sets: three times as many sentences as the dev sets."""
    from mtbert.data.tasks import load_tasks
    from mtbert.inference.evaluate import EvaluationSet

    data = load_tasks(settings, model.tokenizer)
    return [
        EvaluationSet(name, "train", part.train.ids, part.train.inputs)
        for name, part in data.items()
        if part.train is not None
    ]


def _sentences(settings: Settings, sets: Sequence[EvaluationSet]) -> int:
    return sum((1 + settings.tasks[part.task].kind.is_pair) * len(part.ids) for part in sets)


def _time(model: MultitaskModel, sets: Sequence[EvaluationSet]) -> float:
    from mtbert.inference.evaluate import evaluate

    start = time.perf_counter()
    evaluate(model.network, sets)
    return time.perf_counter() - start


def _peak_memory(device: torch.device) -> float:
    import torch

    from mtbert.hardware.machine import memory_mb

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / (1 << 20)
    return memory_mb("VmHWM")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress of the runs."""
    logger = logging.getLogger("mtbert")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
