"""One configuration → one run folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from mtbert.config.settings import Settings
from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.distributed.processes import ALONE, Processes
from mtbert.export.model_card import model_card
from mtbert.hardware.device import flushed_denormals
from mtbert.hardware.memory import advising
from mtbert.inference.evaluate import Evaluation, EvaluationSet, evaluate
from mtbert.inference.predict import compute_features
from mtbert.io import atomic
from mtbert.io.manifest import write_sums
from mtbert.model.encoders.weights import save_network
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.losses import class_weights
from mtbert.runs.folder import RunFolder, read_summary
from mtbert.runs.provenance import check_alike
from mtbert.runs.state import Phase, State
from mtbert.runs.tensorboard import require_tensorboard, tensorboard_log
from mtbert.training.setup import Prepared, prepare
from mtbert.training.summary import summarise
from mtbert.training.trainer import Trainer

__all__ = ["Interrupted", "plan", "train"]

_FROZEN_RATE, _FINETUNE_RATE = 1e-3, 1e-5  # the paper, section 3.4

_log = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop and can be resumed."""


def plan(settings: Settings, processes: Processes = ALONE) -> str:
    """The plan of a run, without running or writing anything.

    Raises:
        UserError: configuration, data or encoder cannot be used.
    """
    return prepare(settings, processes).description


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
        ReportedElsewhere: another process raises one of these.
    """
    with flushed_denormals(), advising():
        return _train(settings, output, resume, processes)


def _train(settings: Settings, output: Path, resume: bool, processes: Processes) -> dict[str, Any]:
    processes.on_main(lambda: RunFolder.check(output, resume=resume))
    if settings.training.tensorboard:
        processes.on_main(require_tensorboard)
    started = time.perf_counter()
    prepared = prepare(settings, processes)
    with processes.all_or_none():
        origin = prepared.origin
    check_alike(settings, origin, processes)
    run: RunFolder | None = None
    with processes.all_or_none():
        if processes.is_main:
            run = RunFolder(output, settings, origin, resume=resume)
    try:
        if finished := processes.on_main(lambda: _finished(run)):
            return finished
        _log.info("the plan:\n\n%s\n", prepared.description)
        with _tensorboard(prepared, output) as log:
            trainer = Trainer(
                prepared.network, _phases(prepared), settings.training, settings.seed, run, log,
                prepared.memory, processes,
            )  # fmt: skip
            trainer.state.run_seconds += time.perf_counter() - started
            if not trainer.train():
                raise processes.raised_by_all(
                    Interrupted(f"{output}: stopped; go on with --resume")
                )
        trainer.load_best()
        return processes.on_main(lambda: _finish(prepared, trainer.run, trainer.state))
    finally:
        if run is not None:
            run.close()


def _finished(run: RunFolder | None) -> dict[str, Any] | None:
    """The summary of a run that has come to its end already."""
    if run is None or not run.finished:
        return None
    _log.info("%s: this run is finished", run.path)
    return read_summary(run.path)


def _phases(prepared: Prepared) -> list[Phase]:
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


def _frozen_phase(prepared: Prepared, epochs: int, rate: float) -> Phase:
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


def _ids(prepared: Prepared) -> dict[str, Sequence[str]]:
    return {name: part.train.ids for name, part in prepared.data.items() if part.train is not None}


def _class_weights(prepared: Prepared) -> dict[str, torch.Tensor | None]:
    return {
        name: class_weights(prepared.settings.tasks[name], torch.from_numpy(part.labels))
        for name, part in prepared.train.items()
    }


def _finish(prepared: Prepared, run: RunFolder, state: State) -> dict[str, Any]:
    """Write the best model and the summary."""
    settings = prepared.settings
    summary = summarise(prepared, state)
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


def _tensorboard(
    prepared: Prepared, output: Path
) -> AbstractContextManager[Callable[[Mapping[str, Any]], None] | None]:
    if not (prepared.settings.training.tensorboard and prepared.processes.is_main):
        return nullcontext()
    return tensorboard_log(output / "tensorboard")
