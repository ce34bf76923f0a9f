"""Prediction the usual way: batches in the file's order, each padded to its longest sequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers import padded
from mtbert.data.batches import TokenizedSet

__all__ = ["predict"]


@torch.inference_mode()
def predict(
    answer: Callable[[dict[str, Tensor]], Tensor],
    source: TokenizedSet,
    batch: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> NDArray[np.float32]:
    """Outputs of a model for all examples, `[examples, outputs]`.

    Args:
        answer: from padded inputs, `[batch, length]` each, to outputs, `[batch, outputs]`.
        source: the examples, tokenized.
        batch: examples of a batch.
        device: where the model is.
        dtype: bf16 for autocast, else float32.
    """
    found = []
    for start in range(0, len(source), batch):
        inputs = padded(source, range(start, min(start + batch, len(source))))
        there = {key: values.to(device) for key, values in inputs.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
            outputs = answer(there)
        found.append(outputs.float().cpu().numpy())
    return np.concatenate(found)
