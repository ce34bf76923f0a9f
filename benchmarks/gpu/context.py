"""What a step of the check is told, how large its work is, and what it may say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtbert.io import atomic

__all__ = ["FULL", "MINIATURE", "CheckFailed", "Context", "Scale", "Skipped", "Step"]


class Skipped(Exception):
    """The step cannot be done here; the message says why."""


class CheckFailed(Exception):
    """What was computed is wrong; the message says what."""


@dataclass(frozen=True)
class Scale:
    """How much work the check is.

    Attributes:
        layers, hidden, heads, inner, vocabulary: of the encoder whose speed is measured.
        small: layers, hidden, heads, inner and vocabulary of the one that is compared.
        compared: examples of each task in a comparison.
        batches: examples of one training step, each measured.
        compiled_batches: the same for compiled code, which first has to be compiled for them.
        rounds: turns of each contestant.
        warm_up: steps before the clock runs.
        compiled_warm_up: the same for compiled code.
        steps: measured steps of a turn.
        sentences: that are predicted.
        rows: of a data file that is drawn where there is none.
        run_steps: steps of an epoch of the runs that are repeated, killed and resumed.
    """

    layers: int
    hidden: int
    heads: int
    inner: int
    vocabulary: int
    small: tuple[int, int, int, int, int]
    compared: int
    batches: tuple[int, ...]
    compiled_batches: tuple[int, ...]
    rounds: int
    warm_up: int
    compiled_warm_up: int
    steps: int
    sentences: int
    rows: int
    run_steps: int


FULL = Scale(
    layers=12, hidden=768, heads=12, inner=3072, vocabulary=30_522,
    small=(4, 256, 4, 1024, 3000), compared=32,
    batches=(32, 128, 256), compiled_batches=(32, 128), rounds=3, warm_up=8, compiled_warm_up=30,
    steps=12, sentences=8192, rows=8544, run_steps=12,
)  # fmt: skip
MINIATURE = Scale(
    layers=2, hidden=16, heads=2, inner=32, vocabulary=3000,
    small=(2, 32, 2, 64, 100), compared=8,
    batches=(4, 8), compiled_batches=(4,), rounds=1, warm_up=1, compiled_warm_up=1,
    steps=2, sentences=32, rows=48, run_steps=3,
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What every step is told; it travels to the process of the step.

    Attributes:
        device: `cuda` or `cpu`.
        miniature: everything tiny, to see that it works.
        work: a folder for what is made on the way.
        data: the folder of the course's data, or None.
        encoder: the folder of pretrained weights, or None for the packaged ones.
        workers: runs of an experiment at once.
        name: of the step.
        deadline: when the step has to be done, by `time.monotonic`.
    """

    device: str
    miniature: bool
    work: Path
    data: Path | None = None
    encoder: Path | None = None
    workers: int = 1
    name: str = ""
    deadline: float = float("inf")

    @property
    def scale(self) -> Scale:
        """How much work there is."""
        return MINIATURE if self.miniature else FULL

    @property
    def seconds_left(self) -> float:
        """Until the step has to be done."""
        return self.deadline - time.monotonic()

    @property
    def figures_file(self) -> Path:
        """What the step has found so far."""
        return self.work / "figures" / f"{self.name}.json"

    def of(self, name: str, deadline: float) -> Context:
        """What the step of that name is told."""
        return replace(self, name=name, deadline=deadline)

    def note(self, figures: Mapping[str, Any]) -> None:
        """Keep what has been found so far, in case the step does not come to its end."""
        atomic.write_json(self.figures_file, atomic.finite(figures))


@dataclass(frozen=True)
class Step:
    """One part of the check, done in a process of its own.

    Attributes:
        name: by which it is asked for.
        kind: `environment`, `correctness`, `speed` or `science`.
        seconds: the most that it may take.
        run: does it and returns its figures; a function of a module.
        grace: seconds between being asked to end and being ended.
        alongside: it measures no time, so others of this kind may run at the same moment.
    """

    name: str
    kind: str
    seconds: float
    run: Callable[[Context], Mapping[str, Any]]
    grace: float = 2.0
    alongside: bool = False
