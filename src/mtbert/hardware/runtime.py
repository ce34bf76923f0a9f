"""What a run computes with: device, precision, memory, processes and seed, as one value."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mtbert.distributed.processes import Processes
from mtbert.hardware.memory import Memory

__all__ = ["Runtime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Chosen once, before the data are read, and the same until the run ends.

    Attributes:
        device: where the network lies.
        dtype: of the forward and backward passes.
        memory: what this process may use; training and evaluation share it.
        processes: that compute together.
        seed: of every order, of dropout and of the methods' own draws.
    """

    device: torch.device
    dtype: torch.dtype
    memory: Memory
    processes: Processes
    seed: int

    @property
    def precision(self) -> str:
        """The dtype as the configuration writes it: `bf16` or `fp32`."""
        return "bf16" if self.dtype == torch.bfloat16 else "fp32"
