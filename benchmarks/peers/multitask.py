"""transformers' BERT with a linear head a task, on padded batches: losses summed, or surgery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers import padded
from mtbert.data.batches import TokenizedSet

__all__ = ["Backward", "linear_head", "training_step"]

Backward = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[nn.Parameter]], None]
"""From losses, features and shared parameters to gradients; leaves them in `grad`."""


def linear_head(width: int, outputs: int, dropout: float) -> nn.Module:
    """Dropout and a linear layer."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, outputs))


def training_step(
    bert: Any,
    heads: nn.ModuleDict,
    sources: Mapping[str, TokenizedSet],
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    backward: Backward | None,
    *,
    dtype: torch.dtype,
    learning_rate: float,
) -> Callable[[Mapping[str, NDArray[np.int64]]], None]:
    """One step of all tasks with torch's fused AdamW.

    Args:
        bert: the encoder, in training mode.
        heads: one a task.
        sources: examples of each task.
        losses: of each task, from outputs `[batch, outputs]` and labels `[batch]` to one number.
        backward: how gradients are combined; None: losses are summed.
        dtype: bf16 for autocast, else float32.
        learning_rate: of everything.

    Returns:
        A function of the indices of each task's batch.
    """
    parameters = [*bert.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0, fused=True)

    def features(name: str, indices: NDArray[np.int64]) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            output = bert(**padded(sources[name], indices))
        first: Tensor = output.last_hidden_state[:, 0]
        return first

    def loss(name: str, indices: NDArray[np.int64], first: Tensor) -> Tensor:
        labels = sources[name].label_tensor(indices)
        return losses[name](heads[name](first.float()), labels)

    def summed(step: Mapping[str, NDArray[np.int64]]) -> None:
        for name, indices in step.items():
            loss(name, indices, features(name, indices)).backward()

    def surgery(step: Mapping[str, NDArray[np.int64]]) -> None:
        assert backward is not None
        firsts = {name: features(name, indices) for name, indices in step.items()}
        found = [loss(name, step[name], first) for name, first in firsts.items()]
        backward(found, list(firsts.values()), list(bert.parameters()))

    def train(step: Mapping[str, NDArray[np.int64]]) -> None:
        summed(step) if backward is None else surgery(step)
        optimizer.step()
        optimizer.zero_grad()

    return train
