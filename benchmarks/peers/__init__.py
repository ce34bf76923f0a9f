"""The tools that mtbert is measured against, one file each, and what they share."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtbert.data.batches import TokenizedSet

__all__ = ["padded", "transformers"]


def transformers() -> Any:
    """The library, without its progress bars and warnings.

    Raises:
        ImportError: it, or accelerate, which its Trainer needs, is not installed.
    """
    importlib.import_module("accelerate")
    library = importlib.import_module("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    return library


def padded(source: TokenizedSet, indices: Sequence[int] | NDArray[np.int64]) -> dict[str, Tensor]:
    """Examples as transformers takes them, padded to the longest: `[batch, length]` each."""
    batch = source.inputs(indices)
    rows = {
        "input_ids": batch.token_ids,
        "token_type_ids": batch.segment_ids,
        "attention_mask": torch.ones_like(batch.token_ids),
    }
    return {
        key: pad_sequence(values.split(batch.lengths), batch_first=True)
        for key, values in rows.items()
    }
