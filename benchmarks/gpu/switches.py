"""Settings that only some versions of mtbert know; one place that asks which."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args

import torch

from benchmarks.gpu.context import Skipped
from mtbert.config.settings import Settings
from mtbert.model.encoders.bert import Encoder
from mtbert.model.encoders.execution import fit_encoder

__all__ = ["VARIANTS", "attentions", "fit", "known"]

VARIANTS: dict[str, dict[str, str]] = {
    "mtbert": {},
    "mtbert varlen": {"encoder.attention": "varlen"},
    "mtbert compiled": {"training.compile": "default"},
    "mtbert compiled, reduce-overhead": {"training.compile": "reduce-overhead"},
}
"""Ways for mtbert to compute a step, by the changes of its settings."""


def known(key: str) -> bool:
    """Whether there is a setting of this name."""
    section, _, name = key.partition(".")
    field = Settings.model_fields.get(section)
    return field is not None and name in getattr(field.annotation, "model_fields", {})


def require(changes: Mapping[str, str]) -> list[str]:
    """The changes as overrides.

    Raises:
        Skipped: this mtbert does not know one of them.
    """
    for key in changes:
        if not known(key):
            raise Skipped(f"this version of mtbert has no {key}")
    return [f"{key}={value}" for key, value in changes.items()]


def attentions() -> list[str]:
    """Ways to compute attention that can be asked for; `auto` first."""
    if not known("encoder.attention"):
        return ["auto"]
    annotation = Settings.model_fields["encoder"].annotation
    field = getattr(annotation, "model_fields", {})["attention"]
    return sorted((str(name) for name in get_args(field.annotation)), key=lambda n: n != "auto")


def fit(
    encoder: Encoder, dtype: torch.dtype, device: torch.device, attention: str = "auto"
) -> None:
    """Let an encoder compute as a run on this device would."""
    options: dict[str, Any] = {}
    if "kernel" in inspect.signature(fit_encoder).parameters and attention != "auto":
        options["kernel"] = attention
    fit_encoder(encoder, dtype, device, **options)
