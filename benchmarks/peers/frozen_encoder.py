"""A head on a frozen encoder the usual way: the encoder runs again in every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers import padded
from mtbert.data.batches import TokenizedSet

__all__ = ["head_step"]


def head_step(
    model: Any, source: TokenizedSet, outputs: int, learning_rate: float
) -> Callable[[NDArray[np.int64]], None]:
    """A training step of a linear head on [CLS] of transformers' encoder, which stays as it is.

    Returns:
        A function of the indices of a batch.
    """
    head = nn.Linear(model.config.hidden_size, outputs)
    optimizer = torch.optim.AdamW(head.parameters(), learning_rate)

    def train(indices: NDArray[np.int64]) -> None:
        with torch.no_grad():
            features = model(**padded(source, indices)).last_hidden_state[:, 0]
        labels = source.label_tensor(indices).long()
        nn.functional.cross_entropy(head(features), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return train
