"""What every benchmark needs: the machine, turns taken fairly, real batches, the result file."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mtbert
from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import TokenizedSet, tokenize
from mtbert.data.examples import read_examples
from mtbert.data.tokenizer import Tokenizer
from mtbert.hardware.machine import QUIET, Stopwatch, computes_bf16, memory_mb, processor_fields
from mtbert.methods.sampling.base import EpochSpec, SuperBatch
from mtbert.methods.sampling.epoch import plan_epoch
from mtbert.methods.sampling.method3 import Method3
from mtbert.model.hub import PACKAGED, locate

__all__ = [
    "BATCH",
    "Result",
    "Stopwatch",
    "Timer",
    "Turn",
    "busy_note",
    "computes_bf16",
    "configuration",
    "data_in_use",
    "interleave",
    "machine",
    "medians",
    "memory_mb",
    "ratios",
    "say",
    "steps",
    "tokenized",
    "training_file",
    "write",
]

BATCH = 32
_SAMPLE = 10_000
"""Examples taken at random from a larger training file: enough for every step measured."""

Turn = Callable[[int], dict[str, float]]
"""Takes the number of the round, measures, and returns figures by name."""


class Timer:
    """A stopwatch to be started and stopped from elsewhere; `spent` is what it showed."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def start(self) -> None:
        self._watch = Stopwatch()

    def stop(self) -> None:
        self.spent = self._watch.read()


@dataclass(frozen=True)
class Result:
    """What one benchmark found.

    Attributes:
        title: one line.
        table: for the terminal.
        setup: what was held fixed.
        repeats: figures of every turn, by contestant.
        summary: medians and what follows from them.
        notes: lines under the table.
    """

    title: str
    table: str
    setup: dict[str, Any]
    repeats: Mapping[str, Any]
    summary: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)


def write(name: str, result: Result, folder: Path) -> Path:
    """One JSON file for a benchmark on a processor; an earlier one is replaced."""
    about = machine()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{_slug(about)}.json"
    content = {"benchmark": name, "machine": about} | asdict(result)
    del content["table"]
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


# The machine


def machine() -> dict[str, Any]:
    """Processor, threads, versions and date."""
    processor = processor_fields()
    return {
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "family": processor.get("cpu family"),
        "model": processor.get("model"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "computes_bf16": computes_bf16(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {
            package: metadata.version(package)
            for package in ("torch", "transformers", "accelerate", "torchjd")
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _slug(about: Mapping[str, Any]) -> str:
    name = re.sub(r"\((r|tm)\)|\bprocessor\b|\d+-core\b", "", about["processor"].lower())
    parts = [name, about["family"], about["model"]]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(p for p in parts if p)).strip("-")


# Fair turns


def interleave(
    contestants: Mapping[str, Callable[[], Turn]], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Let the contestants take turns: a, b, c, a, b, c, …; a round is a fair comparison.

    Each lives in a process of its own, so none gains or loses by another's allocator settings.

    Args:
        contestants: by name, a picklable function that prepares and returns the turn.
        rounds: turns of each.

    Returns:
        The figures of every turn, in order.
    """
    context = multiprocessing.get_context("spawn")
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(
                ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(make,))
            )
            for name, make in contestants.items()
        }
        for number in range(rounds):
            for name, worker in workers.items():
                start = time.perf_counter()
                figures[name].append(worker.submit(_take, number).result())
                say(f"round {number + 1}/{rounds}  {name}: {time.perf_counter() - start:.0f} s")
    return figures


_turn: Turn | None = None


def _prepare(make: Callable[[], Turn]) -> None:
    global _turn
    _turn = make()


def _take(number: int) -> dict[str, float]:
    assert _turn is not None
    return _turn(number)


def medians(turns: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Median of each figure over the rounds, by contestant."""
    return {
        name: {key: statistics.median(turn[key] for turn in figures) for key in figures[0]}
        for name, figures in turns.items()
    }


def ratios(
    turns: Mapping[str, Sequence[Mapping[str, float]]], key: str, first: str, second: str
) -> dict[str, float]:
    """Median, least and greatest over the rounds of first / second, each within one round."""
    found = [a[key] / b[key] for a, b in zip(turns[first], turns[second], strict=True)]
    return {"median": statistics.median(found), "least": min(found), "greatest": max(found)}


def busy_note(turns: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Whether the machine was quiet enough for its figures to be used."""
    worst = max(turn["others"] for figures in turns.values() for turn in figures)
    verdict = "quiet" if worst <= QUIET else "BUSY: do not use these figures"
    return f"other processes took up to {worst:.0%} of the processor in a turn ({verdict})."


# Real batches


@dataclass(frozen=True)
class _File:
    """A task's training file, in the course's data and in the demo data."""

    course: tuple[str, str]
    demo: tuple[str, str]
    settings: dict[str, Any]


_TASKS = {
    "sst": _File(
        ("ids-sst-train.csv", "sentiment"),
        ("sentiment-train.csv", "label"),
        {"kind": "classification", "labels": tuple("01234")},
    ),
    "para": _File(
        ("quora-train.csv", "is_duplicate"),
        ("paraphrase-train.csv", "label"),
        {"kind": "pair_classification", "on_bad_rows": "skip"},
    ),
    "sts": _File(
        ("sts-train.csv", "similarity"),
        ("similarity-train.csv", "score"),
        {"kind": "pair_regression", "range": (0.0, 5.0)},
    ),
}


def data_in_use() -> dict[str, str]:
    """Which data the figures come from; no path of this machine."""
    _, where = _data_folder()
    return {
        "data": "demo data of mtbert" if where == "packaged" else "training sets of the course",
        "found": where,
    }


def _data_folder() -> tuple[Path, str]:
    """MTBERT_DATA, else ../shared/data beside the repository, else the demo data."""
    given = os.environ.get("MTBERT_DATA")
    if given and given != "packaged":
        return Path(given), "MTBERT_DATA"
    beside = Path(__file__).parents[2] / "shared" / "data"
    if not given and (beside / _TASKS["sst"].course[0]).is_file():
        return beside, "../shared/data"
    return Path(mtbert.__file__).parent / "demo_data", "packaged"


def training_file(name: str) -> tuple[Path, str]:
    """A task's training file, and the name of its label column."""
    folder, where = _data_folder()
    file, label = _TASKS[name].demo if where == "packaged" else _TASKS[name].course
    return folder / file, label


def configuration(name: str, **changes: Any) -> dict[str, Any]:
    """A configuration of one task on its own train and dev files, as plain values."""
    file, label = training_file(name)
    task = _TASKS[name].settings | {
        "train": str(file),
        "dev": str(file.with_name(file.name.replace("train", "dev"))),
        "columns": {"label": label},
        "on_bad_rows": "skip",
    }
    return {"tasks": {name: task}} | changes


def tokenized(name: str, most: int = _SAMPLE) -> tuple[TaskSettings, TokenizedSet]:
    """Settings and training examples of a task, at most so many, at random; pairs jointly."""
    file, label = training_file(name)
    task = TaskSettings(train=file.name, columns={"label": label}, **_TASKS[name].settings)
    examples = read_examples(file, task).examples
    order = np.random.default_rng(0).permutation(len(examples))[:most]
    tokenizer = Tokenizer.from_folder(locate(PACKAGED))
    return task, tokenize([examples[i] for i in order], task, tokenizer, 512)


def steps(sources: Mapping[str, TokenizedSet], number: int, length: int) -> list[SuperBatch]:
    """The steps of one round, random batches of 32 of each task: the same for every contestant."""
    spec = EpochSpec(
        examples={n: len(s) for n, s in sources.items()},
        batch_size=dict.fromkeys(sources, BATCH),
        epochs=1,
    )
    return list(islice(_full_steps(spec), number * length, (number + 1) * length))


def _full_steps(spec: EpochSpec) -> Iterator[SuperBatch]:
    for epoch in count():
        for step in plan_epoch(Method3(), spec, epoch, seed=0):
            if all(len(batch.indices) == BATCH for batch in step.values()):
                yield step
