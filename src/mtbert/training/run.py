"""A whole run: one configuration, one run folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from mtbert.config.settings import Settings
from mtbert.data.tokenizer_export import tokenizer_files
from mtbert.distributed.processes import ALONE, Processes
from mtbert.errors import UserError
from mtbert.export.model_card import model_card
from mtbert.hardware.device import flushed_denormals
from mtbert.hardware.memory import advising
from mtbert.inference.details import SetDetails
from mtbert.inference.evaluation_file import describe_run
from mtbert.io import atomic
from mtbert.io.manifest import write_manifest
from mtbert.model.saved import save_network
from mtbert.runs.folder import RunFolder, read_summary
from mtbert.runs.provenance import check_alike
from mtbert.runs.shared import SharedRun
from mtbert.runs.state import State
from mtbert.runs.tensorboard import require_tensorboard, tensorboard_log
from mtbert.training.phases.table import phases_of
from mtbert.training.setup import Prepared, prepare
from mtbert.training.summary import summarise
from mtbert.training.trainer import Trainer
from mtbert.training.verdict import learned_nothing

__all__ = ["Interrupted", "plan", "train"]

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
    settings = prepared.settings
    with processes.all_or_none():
        provenance = prepared.provenance()
    check_alike(settings, provenance, processes)
    run: RunFolder | None = None
    with processes.all_or_none():
        if processes.is_main:
            run = RunFolder(output, settings, provenance, resume=resume)
    try:
        if finished := processes.on_main(lambda: _finished(run)):
            return finished
        phases, training = phases_of(prepared), settings.training
        _log.info("the plan:\n\n%s\n", prepared.description)
        with _tensorboard(prepared, run):
            trainer = Trainer(prepared.network, phases, training, prepared.runtime, run)
            trainer.state.run_seconds += time.perf_counter() - started
            if not trainer.train():
                stopped = Interrupted(f"{output}: stopped; go on with --resume")
                raise processes.raised_by_all(stopped)
        trainer.load_best()
        for message in learned_nothing(trainer.state, phases, settings.tasks):
            _log.warning("%s", message)
        return SharedRun(run, processes).on_main(
            lambda folder: _finish(prepared, folder, trainer.state)
        )
    finally:
        if run is not None:
            run.close()


def _finished(run: RunFolder | None) -> dict[str, Any] | None:
    """The summary of a run that has come to its end already."""
    if run is None or not run.finished:
        return None
    _log.info("%s: this run is finished", run.path)
    return read_summary(run.path)


def _finish(prepared: Prepared, run: RunFolder, state: State) -> dict[str, Any]:
    """Write the best model and the summary."""
    settings = prepared.settings
    summary = summarise(prepared, state)
    details = _details(run, settings)
    run.check_there()
    with atomic.new_folder(run.path / "model") as folder:
        try:
            save_network(
                prepared.network, settings.encoder.max_length, folder, settings.training.precision
            )
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OSError(str(error)) from None
        files = tokenizer_files(prepared.tokenizer, settings.encoder.max_length)
        for name, text in files.items():
            atomic.write_text(folder / name, text)
        atomic.write_text(folder / "README.md", model_card(settings, summary, details))
        write_manifest(folder)
    sets = {name: found.model_dump(mode="json") for name, found in details.items()}
    run.write_evaluation({"sets": sets})
    run.write_summary(summary)
    return summary


def _details(run: RunFolder, settings: Settings) -> dict[str, SetDetails]:
    """What is known of the answers of the best model; a run does not fail for it."""
    try:
        return describe_run(run.path, settings)
    except UserError as error:
        _log.warning("evaluation.json has no details: %s", error)
        return {}


@contextmanager
def _tensorboard(prepared: Prepared, run: RunFolder | None) -> Iterator[None]:
    """Let records go to TensorBoard too, where that is asked for."""
    if run is None or not prepared.settings.training.tensorboard:
        yield
        return
    with tensorboard_log(run.path / "tensorboard") as log:
        run.also_log_to(log)
        yield
