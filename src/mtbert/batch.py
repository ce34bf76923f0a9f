"""Packed batches: what the data hands to the model, without padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["TokenBatch", "move"]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Sequences packed one after another.

    Attributes:
        token_ids: `[tokens]`, int64.
        segment_ids: `[tokens]`, int64; 1 in the second text of a pair encoded jointly.
        lengths: tokens of each sequence, in order; they sum to `tokens`. Pairs encoded
            separately give all first texts, then all second texts.
        windows: of texts that are cut into windows, the number of sequences of each text, in
            order; they sum to the number of sequences. None: one each.
    """

    token_ids: Tensor
    segment_ids: Tensor
    lengths: tuple[int, ...]
    windows: tuple[int, ...] | None = None

    def to(self, device: torch.device) -> TokenBatch:
        """The same batch on another device, moved in one copy."""
        if device == self.token_ids.device:
            return self
        import torch  # the command line starts without it

        both = move(torch.stack((self.token_ids, self.segment_ids)), device)
        return replace(self, token_ids=both[0], segment_ids=both[1])


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device without waiting for what the device is doing.

    A copy to a GPU is asynchronous only from pinned memory.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
