"""Settings → all that a run needs: data, network, device; nothing is written yet."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator

from mtbert.config.settings import Settings
from mtbert.data.batches import TokenizedSet
from mtbert.data.tasks import TaskData, load_tasks
from mtbert.data.tokenizer import Tokenizer
from mtbert.distributed.processes import Processes
from mtbert.errors import UserError
from mtbert.hardware.device import (
    compute_deterministically,
    compute_dtype,
    keep_freed_memory,
    resolve_device,
)
from mtbert.hardware.memory import Memory
from mtbert.inference.evaluate import EvaluationSet
from mtbert.io.hashing import file_sha256
from mtbert.methods.sampling.schedules import Sizes, seed_from
from mtbert.model.compatibility import check_fit
from mtbert.model.encoders.execution import attention_kernel, fit_encoder
from mtbert.model.encoders.weights import load_encoder
from mtbert.model.hub import ENCODER_FILES, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.runs.provenance import Origin
from mtbert.training.plan import describe
from mtbert.version import __version__

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before the first step."""

    settings: Settings
    folder: Path
    device: torch.device
    memory: Memory
    precision: str
    tokenizer: Tokenizer
    network: MultitaskNetwork
    data: dict[str, TaskData]
    train: dict[str, TokenizedSet]
    sizes: Sizes
    dev: list[EvaluationSet]
    processes: Processes

    @property
    def origin(self) -> Origin:
        """What a resumed run must start from too."""
        files = {f"encoder/{n}": f for n in ENCODER_FILES if (f := self.folder / n).is_file()}
        for name, part in self.data.items():
            found = {"train": part.train, **part.dev}
            files |= {f"tasks.{name}.{key}": s.path for key, s in found.items() if s is not None}
        hashes = {key: file_sha256(file) for key, file in sorted(files.items())}
        return Origin(hashes, self.environment)

    @property
    def environment(self) -> dict[str, Any]:
        """Where and with what is computed; another environment gives other last digits."""
        return {
            "device": str(self.device),
            "precision": self.precision,
            "processes": self.processes.size,
            "threads": torch.get_num_threads(),
            "processor": str(torch.cpu.get_capabilities().get("cpu_name", platform.processor())),
            "versions": {
                "mtbert": __version__,
                "torch": str(torch.__version__),
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }

    @property
    def description(self) -> str:
        """The plan in words and numbers."""
        learns = self.settings.encoder.mode != "frozen"
        encoder = sum(p.numel() for p in self.network.shared_parameters().values())
        return describe(
            self.settings,
            self.sizes,
            truncated={name: part.truncated for name, part in self.train.items()},
            trainable=(
                encoder if learns else 0,
                sum(p.numel() for p in self.network.head_parameters().values()),
            ),
            precision=self.precision,
            threads=torch.get_num_threads(),
            device=str(self.device),
        )


def prepare(settings: Settings, processes: Processes) -> Prepared:
    """Read the data, load the network and choose the device.

    Raises:
        UserError: configuration, data or encoder cannot be used, on any of the processes.
    """
    with processes.all_or_none():
        device = resolve_device(settings, None if processes.size == 1 else processes.local_rank)
        memory = Memory(settings.training.memory_limit, device)
        if settings.training.accumulate == "auto" and processes.size > 1:
            raise UserError(
                "training.accumulate: found auto, which one process alone can do; expected a "
                f"number, since this run has {processes.size} processes"
            )
        tokenizer, folder, network, dtype = _load_network(settings, device)
    data = processes.main_first(lambda: load_tasks(settings, tokenizer))
    train_sets = {name: part.train.inputs for name, part in data.items() if part.train is not None}
    dev = [
        EvaluationSet(name, set_name, found.ids, found.inputs, selects=position == 0)
        for name, part in data.items()
        for position, (set_name, found) in enumerate(part.dev.items())
    ]
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    return Prepared(
        settings, folder, device, memory, precision, tokenizer, network, data, train_sets,
        _sizes(settings, train_sets), dev, processes,
    )  # fmt: skip


def _load_network(
    settings: Settings, device: torch.device
) -> tuple[Tokenizer, Path, MultitaskNetwork, torch.dtype]:
    compute_deterministically(settings.training.deterministic, device)
    keep_freed_memory()
    folder = locate(settings.encoder.path, settings.encoder.revision)
    tokenizer = Tokenizer.from_folder(folder)
    encoder = load_encoder(str(folder))
    check_fit(
        encoder.config,
        settings.tasks,
        max_length=settings.encoder.max_length,
        vocabulary_size=tokenizer.vocabulary_size,
        source=settings.encoder.path,
    )
    dtype = compute_dtype(settings.training.precision, device)
    kernel = attention_kernel(settings, dtype, device)
    fit_encoder(encoder, dtype, device, kernel=kernel, compiled=settings.training.compile)
    network = MultitaskNetwork(encoder, settings.tasks)
    for name, head in network.heads.items():
        generator = Generator().manual_seed(seed_from("head", settings.seed, name))
        head.initialise(generator)
    network.to(device)
    return tokenizer, folder, network, dtype


def _sizes(settings: Settings, train_sets: Mapping[str, TokenizedSet]) -> Sizes:
    training = settings.training
    return Sizes(
        {name: len(part) for name, part in train_sets.items()},
        {name: settings.tasks[name].batch_size or training.batch_size for name in train_sets},
        {n: p.lengths for n, p in train_sets.items()} if training.group_by_length else None,
        training.steps_per_epoch,
        frozenset(n for n in train_sets if settings.tasks[n].in_both_orders),
    )
