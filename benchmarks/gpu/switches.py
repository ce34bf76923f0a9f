"""The ways in which mtbert can compute a step on a GPU."""

from __future__ import annotations

from typing import get_args

import torch

from mtbert.config.encoder import EncoderSettings
from mtbert.model.encoders.base import Encoder
from mtbert.model.encoders.execution import fit_encoder

__all__ = ["VARIANTS", "attentions", "fit"]

VARIANTS: dict[str, dict[str, str]] = {
    "mtbert": {},
    "mtbert varlen": {"encoder.attention": "varlen"},
    "mtbert compiled": {"training.compile": "default"},
    "mtbert compiled, reduce-overhead": {"training.compile": "reduce-overhead"},
}
"""Ways for mtbert to compute a step, by the changes of its settings."""


def attentions() -> list[str]:
    """Values of `encoder.attention`; `auto` first."""
    names = map(str, get_args(EncoderSettings.model_fields["attention"].annotation))
    return sorted(names, key=lambda name: name != "auto")


def fit(
    encoder: Encoder, dtype: torch.dtype, device: torch.device, attention: str = "auto"
) -> None:
    """Let an encoder compute as a run on this device would."""
    fit_encoder(encoder, dtype, device, kernel=None if attention == "auto" else attention)
