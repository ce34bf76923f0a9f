"""The sharing schemes, by their options in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtbert.config.encoder import Hard, Sharing
from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Trunk
from mtbert.model.sharing.hard import HardTrunk

__all__ = ["TRUNKS", "make_trunk"]

TRUNKS: dict[type[Sharing], Callable[[Any, Encoder], Trunk]] = {Hard: HardTrunk}
"""Each makes a trunk of its options and a pretrained encoder."""


def make_trunk(sharing: Sharing, encoder: Encoder) -> Trunk:
    """The trunk that `encoder.sharing` asks for."""
    return TRUNKS[type(sharing)](sharing, encoder)
