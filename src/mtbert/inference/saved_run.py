"""Loading a finished run: its settings and its best model, as it was trained and scored."""

from __future__ import annotations

from pathlib import Path

import torch

from mtbert.config.heads import differing_settings
from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.hardware.device import resolve_device
from mtbert.inference.model import MultitaskModel
from mtbert.io.bounded import expanded, is_file, is_folder
from mtbert.runs.folder import read_run

__all__ = ["load_model", "load_run"]


def load_run(path: Path) -> tuple[Settings, MultitaskModel]:
    """The settings of a finished run and its best model, on the device that they ask for.

    The model computes in the precision that the run was trained and scored in, so that scores are
    the same again, and texts are cut to the length that it was trained with. Tasks that are only
    evaluated are among its tasks.

    Raises:
        UserError: not a finished run, or its model lacks a task of its config.yaml.
    """
    settings, folder = read_run(path)
    device = resolve_device(settings)
    precision = settings.training.precision
    model = MultitaskModel.from_pretrained(folder, device=str(device), precision=precision)
    for name, task in settings.trained_tasks.items():
        kept = model.network.tasks.get(name)
        if kept is None or differing_settings(kept, task):
            raise UserError(f"{path}: the model has no head for the task {name} of config.yaml")
    for name, task in settings.tasks.items():
        model.network.tasks.setdefault(name, task)
    encoder = settings.encoder.model_copy(update={"max_length": model.max_length})
    return settings.model_copy(update={"encoder": encoder}), model


def load_model(source: str) -> MultitaskModel:
    """The model of a run, as `load_run` gives it, of a model folder or of a Hub id.

    Raises:
        UserError: none of these.
    """
    folder = expanded(source)
    if is_file(folder / "config.yaml"):
        return load_run(folder)[1]
    if (
        not is_folder(folder)
        and not is_file(folder)
        and (folder.is_absolute() or source.startswith("."))
    ):
        raise UserError(f"{source}: no such folder; expected a run, a model folder or a Hub id")
    if is_folder(folder) and not any(
        is_file(place / "mtbert.json") for place in (folder, folder / "model")
    ):
        raise UserError(
            f"{source}: neither a run (no config.yaml in it) nor a model of mtbert (no mtbert.json)"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return MultitaskModel.from_pretrained(source, device=device)
