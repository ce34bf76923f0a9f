"""Setting up a run: from settings to runtime, network and data; nothing is written yet."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator

from mtbert.config.automatic import FEW_PAIRS, resolved, with_pair_forms
from mtbert.config.settings import Settings
from mtbert.data.batches import TokenizedSet
from mtbert.data.completion import completed
from mtbert.data.datasets import DataSet
from mtbert.data.sources import paths_of
from mtbert.data.tasks import TaskData, count_examples, load_tasks
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
from mtbert.hardware.runtime import Runtime
from mtbert.inference.evaluate import EvaluationSet
from mtbert.io.hashing import file_sha256
from mtbert.methods.sampling.base import EpochSpec
from mtbert.methods.seeding import seed_from
from mtbert.model.compatibility import check_compatible, fit_length
from mtbert.model.earlier_heads import start_heads
from mtbert.model.encoders.base import load_encoder
from mtbert.model.encoders.config import read_config
from mtbert.model.encoders.execution import attention_kernel, fit_encoder
from mtbert.model.hub import ENCODER_FILES, SETTINGS_FILES, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.model.shards import shards_of
from mtbert.objectives.target_scale import fit_scale
from mtbert.runs.provenance import ABSENT, Provenance
from mtbert.training.plan import describe
from mtbert.version import __version__

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before the first step.

    Attributes:
        settings: of the run, with numbers in the place of `auto`.
        folder: of the encoder.
        runtime: device, precision, memory, processes and seed.
        tokenizer: of the encoder.
        network: on its device, with fresh heads.
        data: by task.
        train: training examples by task, tokenized.
        dev: what is evaluated.
        spec: what the plan of an epoch depends on.
    """

    settings: Settings
    folder: Path
    runtime: Runtime
    tokenizer: Tokenizer
    network: MultitaskNetwork
    data: dict[str, TaskData]
    train: dict[str, TokenizedSet]
    dev: list[EvaluationSet]
    spec: EpochSpec

    def provenance(self) -> Provenance:
        """What a resumed run must start from too; reads every file to hash it."""
        names = (*ENCODER_FILES, *shards_of(self.folder))
        files = {f"encoder/{n}": f for n in names if (f := self.folder / n).is_file()}
        for name, part in self.data.items():
            found = {"train": part.train, **part.dev}
            for key, data in found.items():
                files |= _named(f"tasks.{name}.{key}", data)
        hashes = {key: file_sha256(file) for key, file in sorted(files.items())}
        for name in SETTINGS_FILES:  # one that comes later would change what is learned
            file = self.folder / name
            hashes[f"encoder/{name}"] = file_sha256(file) if file.is_file() else ABSENT
        return Provenance(hashes, self.environment)

    @property
    def environment(self) -> dict[str, Any]:
        """Where and with what is computed; another environment gives other last digits."""
        return {
            "device": str(self.runtime.device),
            "precision": self.runtime.precision,
            "processes": self.runtime.processes.size,
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
        shared = self.settings.encoder.mode != "frozen"
        learning = self.network.learning(shared=shared, own=True)
        return describe(
            self.settings,
            self.spec,
            {name: part.truncated for name, part in self.train.items()},
            learning.counts(),
            self.network.times_encoder,
            f"{self.runtime.precision} on {self.runtime.device}, {torch.get_num_threads()} threads",
        )


def prepare(settings: Settings, processes: Processes) -> Prepared:
    """Name the classes, choose the device, load the network and read the data, in this order.

    Raises:
        UserError: configuration, data or encoder cannot be used, on any of the processes.
    """
    incomplete = settings
    settings = processes.main_first(lambda: completed(incomplete))
    with processes.all_or_none():
        runtime = _runtime(settings, processes)
        folder = locate(settings.encoder.path, settings.encoder.revision)
        config = read_config(folder / "config.json")
        count = partial(count_examples, settings, most=FEW_PAIRS)
        settings = with_pair_forms(settings, count, segments=config.type_vocab_size)
        settings = fit_length(settings, config)
        tokenizer = Tokenizer.from_folder(folder)
        network = _load_network(settings, folder, tokenizer.vocabulary_size, runtime)
    data = processes.main_first(lambda: load_tasks(settings, tokenizer))
    train = {name: part.train.inputs for name, part in data.items() if part.train is not None}
    _fit_targets(network, train)
    with processes.all_or_none():
        start_heads(network, folder, keep=settings.encoder.heads == "keep")
    dev = [
        EvaluationSet(name, set_name, found.ids, found.inputs, selects=position == 0)
        for name, part in data.items()
        for position, (set_name, found) in enumerate(part.dev.items())
    ]
    examples = {name: len(part) for name, part in train.items()}
    settings = resolved(settings, examples, network.encoder.config.hidden_size)
    spec = settings.epoch_spec(
        examples,
        {name: part.lengths for name, part in train.items()},
    )
    return Prepared(settings, folder, runtime, tokenizer, network, data, train, dev, spec)


def _named(key: str, data: DataSet | None) -> dict[str, Path]:
    """The files of a data set by what they are; several are numbered, for a name may recur."""
    if data is None:
        return {}
    if isinstance(data.path, Path):
        return {key: data.path}
    return {f"{key}[{i}] {p.name}": p for i, p in enumerate(paths_of(data.path), start=1)}


def _fit_targets(network: MultitaskNetwork, train: Mapping[str, TokenizedSet]) -> None:
    """Give each head with a standardised target the scale of its training labels.

    It is a function of the files alone, the same in every process and when a run goes on.
    """
    for name, part in train.items():
        if network.tasks[name].target == "standardised":
            network.heads[name].set_scale(fit_scale(part.labels))


def _runtime(settings: Settings, processes: Processes) -> Runtime:
    training = settings.training
    device = resolve_device(settings, None if processes.size == 1 else processes.local_rank)
    memory = Memory(training.memory_limit, device)
    if training.accumulate == "auto" and processes.size > 1:
        raise UserError(
            "training.accumulate: found auto, which one process alone can do; expected a "
            f"number, since this run has {processes.size} processes"
        )
    compute_deterministically(training.deterministic, device)
    keep_freed_memory()
    return Runtime(
        device=device,
        dtype=compute_dtype(training.precision, device),
        memory=memory,
        processes=processes,
        seed=settings.seed,
    )


def _load_network(
    settings: Settings, folder: Path, vocabulary_size: int, runtime: Runtime
) -> MultitaskNetwork:
    """The encoder, fitted to the device, with freshly initialised heads."""
    encoder = load_encoder(str(folder))
    if settings.encoder.reinitialise is not None:
        generator = Generator().manual_seed(seed_from("reinitialise", settings.seed))
        encoder.reinitialise(settings.encoder.reinitialise, generator)
    check_compatible(
        encoder.config,
        settings.tasks,
        max_length=settings.encoder.max_length,
        vocabulary_size=vocabulary_size,
        source=settings.encoder.path,
    )
    network = MultitaskNetwork(encoder, settings.tasks, settings.encoder.sharing)
    kernel = attention_kernel(settings, runtime.dtype, runtime.device)
    compiled = settings.training.compile
    for part in network.trunk.encoders:
        fit_encoder(part, runtime.dtype, runtime.device, kernel=kernel, compiled=compiled)
    network.trunk.initialise(Generator().manual_seed(seed_from("trunk", settings.seed)))
    for name, head in network.heads.items():
        generator = Generator().manual_seed(seed_from("head", settings.seed, name))
        head.initialise(generator)
    network.to(runtime.device)
    return network
