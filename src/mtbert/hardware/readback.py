"""Reading values back from a device without stalling it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Readback"]


class Readback:
    """A few values on their way from the device to the host."""

    def __init__(self, values: Tensor) -> None:
        """Ask for values `[n]`; on a GPU they come when it has computed them."""
        self._host = values.to("cpu", non_blocking=True)  # into pinned memory, from a GPU
        self._arrived: torch.cuda.Event | None = None
        if values.device.type == "cuda":
            self._arrived = torch.cuda.Event()
            self._arrived.record(torch.cuda.current_stream(values.device))

    def read(self) -> list[float]:
        """The values, waiting for them where they have not come yet."""
        if self._arrived is not None:
            self._arrived.synchronize()
        found: list[float] = self._host.tolist()
        return found
