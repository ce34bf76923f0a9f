"""One configuration → one run folder."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Generator

import mtbert
from mtbert import atomic
from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.data.schedules import Sizes, seed_from
from mtbert.data.tasks import TaskData, load_tasks
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError
from mtbert.evaluation.evaluate import Evaluation, EvaluationSet, evaluate
from mtbert.evaluation.metrics import mean_score, overall_score
from mtbert.evaluation.predict import compute_features
from mtbert.experiments.alike import check_alike
from mtbert.experiments.model_card import model_card
from mtbert.experiments.tensorboard import require_tensorboard, tensorboard_log
from mtbert.hashing import file_sha256
from mtbert.model.fit import check_fit
from mtbert.model.locate import ENCODER_FILES, locate
from mtbert.model.multitask import MultitaskNetwork
from mtbert.model.pretrained import load_encoder, save_network
from mtbert.model.sums import write_sums
from mtbert.settings import Settings
from mtbert.training.device import (
    compute_dtype,
    fit_encoder,
    flushed_denormals,
    keep_freed_memory,
    resolve_device,
)
from mtbert.training.loop import Trainer
from mtbert.training.losses import class_weights
from mtbert.training.memory import Memory, advising
from mtbert.training.origin import Origin
from mtbert.training.plan import describe
from mtbert.training.processes import ALONE, Processes
from mtbert.training.run_folder import RunFolder, read_summary
from mtbert.training.state import Phase, State

__all__ = ["Interrupted", "plan", "train"]

_FROZEN_RATE, _FINETUNE_RATE = 1e-3, 1e-5  # the paper, section 3.4

_log = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop and can be resumed."""


@dataclass(frozen=True, slots=True)
class _Prepared:
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
        return Origin(hashes, _environment(self))

    @property
    def description(self) -> str:
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


def plan(settings: Settings, processes: Processes = ALONE) -> str:
    """The plan of a run, without running or writing anything.

    Raises:
        UserError: configuration, data or encoder cannot be used.
    """
    return _prepare(settings, processes).description


def train(
    settings: Settings, output: Path, *, resume: bool = False, processes: Processes = ALONE
) -> dict[str, Any]:
    """Run a configuration to its end and return its summary.

    Args:
        settings: of the run.
        output: its folder, of which only the first process knows.
        resume: go on where it stopped.
        processes: that train together.

    Raises:
        UserError: configuration, data, encoder or folder cannot be used, and nothing was written;
            or memory does not suffice.
        Interrupted: a signal asked to stop; the run can be resumed.
        ToldElsewhere: another process raises one of these.
    """
    with flushed_denormals(), advising():
        return _train(settings, output, resume, processes)


def _train(settings: Settings, output: Path, resume: bool, processes: Processes) -> dict[str, Any]:
    processes.from_first(lambda: RunFolder.check(output, resume=resume))
    if settings.training.tensorboard:
        processes.from_first(require_tensorboard)
    started = time.perf_counter()
    prepared = _prepare(settings, processes)
    with processes.together():
        origin = prepared.origin
    check_alike(settings, origin, processes)
    run: RunFolder | None = None
    with processes.together():
        if processes.first:
            run = RunFolder(output, settings, origin, resume=resume)
    try:
        if finished := processes.from_first(lambda: _finished(run)):
            return finished
        _log.info("the plan:\n\n%s\n", prepared.description)
        with _tensorboard(prepared, output) as log:
            trainer = Trainer(
                prepared.network, _phases(prepared), settings.training, settings.seed, run, log,
                prepared.memory, processes,
            )  # fmt: skip
            trainer.state.run_seconds += time.perf_counter() - started
            if not trainer.train():
                raise processes.everyone(Interrupted(f"{output}: stopped; go on with --resume"))
        trainer.load_best()
        return processes.from_first(lambda: _finish(prepared, trainer.run, trainer.state))
    finally:
        if run is not None:
            run.close()


def _finished(run: RunFolder | None) -> dict[str, Any] | None:
    """The summary of a run that has come to its end already."""
    if run is None or not run.finished:
        return None
    _log.info("%s: this run is finished", run.path)
    return read_summary(run.path)


def _prepare(settings: Settings, processes: Processes) -> _Prepared:
    with processes.together():
        device = resolve_device(settings, None if processes.size == 1 else processes.local_rank)
        memory = Memory(settings.training.memory_limit, device)
        if settings.training.accumulate == "auto" and processes.size > 1:
            raise UserError(
                "training.accumulate: found auto, which one process alone can do; expected a "
                f"number, since this run has {processes.size} processes"
            )
        tokenizer, folder, network, dtype = _load_network(settings, device)
    data = processes.in_turn(lambda: load_tasks(settings, tokenizer))
    train_sets = {name: part.train.inputs for name, part in data.items() if part.train is not None}
    dev = [
        EvaluationSet(name, set_name, found.ids, found.inputs, selects=position == 0)
        for name, part in data.items()
        for position, (set_name, found) in enumerate(part.dev.items())
    ]
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    return _Prepared(
        settings, folder, device, memory, precision, tokenizer, network, data, train_sets,
        _sizes(settings, train_sets), dev, processes,
    )  # fmt: skip


def _load_network(
    settings: Settings, device: torch.device
) -> tuple[Tokenizer, Path, MultitaskNetwork, torch.dtype]:
    if settings.training.deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(settings.training.deterministic)  # takes a second
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
    fit_encoder(encoder, dtype, device)
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


def _phases(prepared: _Prepared) -> list[Phase]:
    settings, training = prepared.settings, prepared.settings.training
    mode = settings.encoder.mode
    phases = []
    if mode != "finetune":
        rate = training.head_learning_rate
        if rate is None:
            rate = (training.learning_rate if mode == "frozen" else None) or _FROZEN_RATE
        epochs = training.epochs if mode == "frozen" else settings.encoder.heads_first_epochs
        phases.append(_frozen_phase(prepared, epochs, rate))
    if mode != "frozen":
        rate = training.learning_rate or _FINETUNE_RATE
        phases.append(
            Phase(
                name="all",
                epochs=training.epochs,
                sources=prepared.train,
                ids=_ids(prepared),
                sizes=prepared.sizes,
                class_weights=_class_weights(prepared),
                trains_encoder=True,
                learning_rate=rate,
                head_learning_rate=training.head_learning_rate or rate,
                evaluate=lambda network: evaluate(
                    network, prepared.dev, prepared.memory, prepared.processes
                ),
            )
        )
    return phases


def _frozen_phase(prepared: _Prepared, epochs: int, rate: float) -> Phase:
    """Encode everything once; the heads learn from the features."""
    network, processes = prepared.network, prepared.processes
    started = time.perf_counter()
    _log.info("encoding once what the frozen encoder would encode every epoch")
    features: dict[str, FeatureSet] = {
        name: compute_features(network, name, part, prepared.memory, processes)
        for name, part in prepared.train.items()
    }
    seconds = time.perf_counter() - started
    dev = [
        EvaluationSet(
            part.task, part.name, part.ids,
            compute_features(network, part.task, part.inputs, prepared.memory, processes),
            part.selects,
        )
        for part in prepared.dev
        if isinstance(part.inputs, TokenizedSet)
    ]  # fmt: skip

    def evaluate_features(network: MultitaskNetwork) -> Evaluation:
        return evaluate(network, dev, prepared.memory, processes)

    return Phase(
        name="heads",
        epochs=epochs,
        sources=features,
        ids=_ids(prepared),
        sizes=prepared.sizes,
        class_weights=_class_weights(prepared),
        trains_encoder=False,
        learning_rate=rate,
        head_learning_rate=rate,
        evaluate=evaluate_features,
        encoded_tokens=sum(
            int(part.lengths.sum()) * (2 if network.tasks[name].in_both_orders else 1)
            for name, part in prepared.train.items()
        ),
        encoding_seconds=seconds,
    )


def _ids(prepared: _Prepared) -> dict[str, Sequence[str]]:
    return {name: part.train.ids for name, part in prepared.data.items() if part.train is not None}


def _class_weights(prepared: _Prepared) -> dict[str, torch.Tensor | None]:
    return {
        name: class_weights(prepared.settings.tasks[name], torch.from_numpy(part.labels))
        for name, part in prepared.train.items()
    }


def _finish(prepared: _Prepared, run: RunFolder, state: State) -> dict[str, Any]:
    """Write the best model and the summary."""
    settings = prepared.settings
    summary = _summary(prepared, state)
    run.check_there()
    with atomic.new_folder(run.path / "model") as folder:
        try:
            save_network(prepared.network, settings.encoder.max_length, folder)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OSError(str(error)) from None
        atomic.write_text(folder / "tokenizer.json", prepared.tokenizer.to_json())
        atomic.write_json(
            folder / "tokenizer_config.json",
            {
                "tokenizer_class": "BertTokenizerFast",
                "model_max_length": settings.encoder.max_length,
                "cls_token": "[CLS]",
                "sep_token": "[SEP]",
                "pad_token": "[PAD]",
                "unk_token": "[UNK]",
                "mask_token": "[MASK]",
            },
        )
        atomic.write_text(folder / "README.md", model_card(settings, summary))
        write_sums(folder)
    run.write_summary(summary)
    return summary


def _summary(prepared: _Prepared, state: State) -> dict[str, Any]:
    settings = prepared.settings
    main = {
        task: math.nan if (value := next(iter(metrics.values()))) is None else value
        for task, metrics in state.best_dev.items()
    }
    accumulate = settings.training.accumulate
    computing = state.step_seconds + state.encoding_seconds
    sets = {
        f"{name}/{set_name}": found
        for name, part in prepared.data.items()
        for set_name, found in (("train", part.train), *part.dev.items())
        if found is not None
    }
    return {
        "dev": state.best_dev,
        "others": state.best_others,
        "overall": overall_score(main),
        "mean": mean_score(main),
        "best_epoch": state.best_epoch,
        "best_step": state.best_step,
        "epochs": settings.training.epochs,
        "steps": state.step,
        "seconds": state.run_seconds,
        "step_seconds": state.step_seconds,
        "step_cpu_seconds": state.step_cpu_seconds,
        "encoding_seconds": state.encoding_seconds,
        "evaluation_seconds": state.evaluation_seconds,
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / computing if computing else math.nan,
        "seed": settings.seed,
        "examples": {name: len(found) for name, found in sets.items()},
        "skipped_rows": {name: len(found.left_out.problems) for name, found in sets.items()},
        "unlabelled_rows": {name: found.left_out.unlabelled for name, found in sets.items()},
        "truncated": {name: part.truncated for name, part in prepared.train.items()},
        "leaks": {name: part.leaks for name, part in prepared.data.items()},
        "left_out": state.left_out,
        "learning_rate_factor": state.rate_factor,
        "exploded": state.exploded,
        "accumulate": state.parts if accumulate == "auto" else accumulate,
        "out_of_memory": state.out_of_memory,
        "evaluation_tokens": state.token_budget,
        **_environment(prepared),
    }


def _environment(prepared: _Prepared) -> dict[str, Any]:
    """Where and with what is computed; another environment gives other last digits."""
    return {
        "device": str(prepared.device),
        "precision": prepared.precision,
        "processes": prepared.processes.size,
        "threads": torch.get_num_threads(),
        "processor": str(torch.cpu.get_capabilities().get("cpu_name", platform.processor())),
        "versions": {
            "mtbert": mtbert.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _tensorboard(
    prepared: _Prepared, output: Path
) -> AbstractContextManager[Callable[[Mapping[str, Any]], None] | None]:
    if not (prepared.settings.training.tensorboard and prepared.processes.first):
        return nullcontext()
    return tensorboard_log(output / "tensorboard")
