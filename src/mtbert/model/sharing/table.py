"""The sharing schemes, by their options in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mtbert.config.sharing import Hard, LoRA, PALs, Sharing, Soft, TopLayers
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Trunk
from mtbert.model.sharing.hard import HardTrunk
from mtbert.model.sharing.lora import LoRATrunk
from mtbert.model.sharing.pals import PALsTrunk
from mtbert.model.sharing.soft import SoftTrunk
from mtbert.model.sharing.top_layers import TopLayersTrunk

__all__ = ["TRUNKS", "make_trunk"]

TRUNKS: dict[type[Sharing], Callable[[Any, Encoder, Sequence[str]], Trunk]] = {
    Hard: HardTrunk,
    TopLayers: TopLayersTrunk,
    LoRA: LoRATrunk,
    PALs: PALsTrunk,
    Soft: SoftTrunk,
}
"""Each makes a trunk of its options, a pretrained encoder and the names of the trained tasks."""


def make_trunk(sharing: Sharing, encoder: Encoder, tasks: Sequence[str]) -> Trunk:
    """The trunk that `encoder.sharing` asks for."""
    return TRUNKS[type(sharing)](sharing, encoder, tasks)
