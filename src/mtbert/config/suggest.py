"""Settings by other names: those of another section, of other tools, mistyped ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from mtbert.config.columns import ColumnSettings
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings

__all__ = ["setting_meant"]

_ELSEWHERE = {
    "bs": "training.batch_size",
    "per_device_train_batch_size": "training.batch_size",
    "train_batch_size": "training.batch_size",
    "num_epochs": "training.epochs",
    "num_train_epochs": "training.epochs",
    "n_epochs": "training.epochs",
    "max_epochs": "training.epochs",
    "lr": "training.learning_rate",
    "rate": "training.learning_rate",
    "head_lr": "training.head_learning_rate",
    "wd": "training.weight_decay",
    "warmup_ratio": "training.warmup",
    "warmup_steps": "training.warmup",
    "llrd": "training.layer_decay",
    "layerwise_lr_decay": "training.layer_decay",
    "reinit_layers": "encoder.reinitialise",
    "lr_scheduler_type": "training.schedule",
    "scheduler": "training.schedule",
    "gradient_accumulation_steps": "training.accumulate",
    "grad_accum": "training.accumulate",
    "max_grad_norm": "training.clip",
    "gradient_clip": "training.clip",
    "early_stopping": "training.patience",
    "metric_for_best_model": "training.select",
    "eval_steps": "training.evaluate_every",
    "save_steps": "training.checkpoint_every",
    "logging_steps": "training.log_every",
    "fp16": "training.precision",
    "bf16": "training.precision",
    "pcgrad": "training.surgery",
    "ema": "training.average",
    "model": "encoder.path",
    "model_name": "encoder.path",
    "model_name_or_path": "encoder.path",
    "pretrained": "encoder.path",
    "bert": "encoder.path",
    "max_len": "encoder.max_length",
    "max_seq_length": "encoder.max_length",
    "max_seq_len": "encoder.max_length",
    "freeze": "encoder.mode",
    "frozen": "encoder.mode",
    "data_dir": "data.dir",
    "random_seed": "seed",
    "num_threads": "threads",
    "classes": "tasks.NAME.labels",
    "type": "tasks.NAME.kind",
    "text_column": "tasks.NAME.columns.text",
    "label_column": "tasks.NAME.columns.label",
    "task": "tasks",
    "train_file": "tasks.NAME.train",
    "dev_file": "tasks.NAME.dev",
    "validation": "tasks.NAME.dev",
    "validation_file": "tasks.NAME.dev",
    "valid": "tasks.NAME.dev",
    "val": "tasks.NAME.dev",
    "eval": "tasks.NAME.dev",
}
"""Settings by the names that they have in other tools, or in one's memory."""


def setting_meant(name: str) -> str | None:
    """The full key of the setting that a name may stand for, `tasks.NAME.…` for those of a task.

    Args:
        name: the end of a key that is not known where it stands.
    """
    plain = name.lower().replace("-", "_")
    keys = _keys()
    by_end: dict[str, str] = {}
    for key in keys:
        by_end.setdefault(key.rpartition(".")[2], key)
    if plain in by_end:
        return by_end[plain]
    if plain in _ELSEWHERE:
        return _ELSEWHERE[plain]
    close = difflib.get_close_matches(plain, by_end, n=1, cutoff=0.75)
    return by_end[close[0]] if close else None


def _keys() -> Sequence[str]:
    """Every key, dotted; a section's own name comes after what is in the others."""
    found = []
    for section, field in Settings.model_fields.items():
        members = getattr(field.annotation, "model_fields", None)
        found += [section] if members is None else [f"{section}.{key}" for key in members]
    found += [f"tasks.NAME.{key}" for key in TaskSettings.model_fields]
    found += [f"tasks.NAME.columns.{key}" for key in ColumnSettings.model_fields]
    return found
