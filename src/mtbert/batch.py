"""The contract between data and model: a batch without padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TokenBatch"]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Sequences that lie one after another.

    Attributes:
        token_ids: `[tokens]`, int64.
        segment_ids: `[tokens]`, int64; 1 in the second text of a pair encoded jointly.
        lengths: tokens of each sequence, in order; they sum to `tokens`. Pairs encoded
            separately give all first texts, then all second texts.
    """

    token_ids: Tensor
    segment_ids: Tensor
    lengths: tuple[int, ...]

    def to(self, device: object) -> TokenBatch:
        """The same batch on another device."""
        return TokenBatch(
            self.token_ids.to(device, non_blocking=True),  # type: ignore[call-overload]
            self.segment_ids.to(device, non_blocking=True),  # type: ignore[call-overload]
            self.lengths,
        )
