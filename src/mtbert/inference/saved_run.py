"""A finished run → its settings and its model, ready to compute as it was trained."""

from __future__ import annotations

from pathlib import Path

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.hardware.device import compute_dtype, resolve_device
from mtbert.inference.model import MultitaskModel
from mtbert.runs.folder import read_run

__all__ = ["load_run"]

_FORM = ("kind", "class_names", "loss_name", "range", "head", "features", "pair_encoding")
"""Settings of a task that its head was made for."""


def load_run(path: Path) -> tuple[Settings, MultitaskModel]:
    """The settings of a finished run, and its best model on the device that they name.

    Raises:
        UserError: it is not a finished run, or its model does not fit its configuration.
    """
    settings, folder = read_run(path)
    device = resolve_device(settings)
    model = MultitaskModel.from_pretrained(folder, device=str(device))
    for name, task in settings.trained_tasks.items():
        kept = model.network.tasks.get(name)
        if kept is None or any(getattr(kept, key) != getattr(task, key) for key in _FORM):
            raise UserError(f"{path}: the model has no head for the task {name} of config.yaml")
    # The precision that the run was trained and scored in, so that scores come out the same.
    model.network.encoder.compute_dtype = compute_dtype(settings.training.precision, device)
    for name, task in settings.tasks.items():  # a task that is only evaluated has no head
        model.network.tasks.setdefault(name, task)
    return settings, model
