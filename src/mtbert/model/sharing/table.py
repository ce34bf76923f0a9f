"""The schemes of parameter sharing, by name."""

from __future__ import annotations

from collections.abc import Callable

from mtbert.model.encoders.base import Encoder
from mtbert.model.sharing.base import Trunk
from mtbert.model.sharing.hard import HardSharing

__all__ = ["SHARING"]

SHARING: dict[str, Callable[[Encoder], Trunk]] = {"hard": HardSharing}
"""Each makes a trunk of a pretrained encoder."""
