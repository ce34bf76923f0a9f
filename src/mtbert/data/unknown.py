"""Unknown words: how much of a data set an encoder's vocabulary does not have."""

from __future__ import annotations

import logging

import numpy as np

from mtbert.data.batches import TokenizedSet
from mtbert.data.datasets import DataSet
from mtbert.data.tokenizer import Tokenizer

__all__ = ["MANY_UNKNOWN", "tell_unknown", "unknown_share"]

MANY_UNKNOWN = 0.05
"""Share of tokens from which it is said. English under BERT's own vocabulary has 0.1 % or less."""

_log = logging.getLogger(__name__)


def unknown_share(inputs: TokenizedSet, tokenizer: Tokenizer) -> float:
    """Share of the tokens of texts that stand for a word that the vocabulary does not have.

    [CLS] and [SEP] do not count; texts are looked at as far as they are kept. 0 without tokens.
    """
    unknown = words = 0
    around = (tokenizer.cls_id, tokenizer.sep_id)
    for rows in inputs.sequences:
        unknown += int(np.count_nonzero(rows.values == tokenizer.unknown_id))
        words += int(np.count_nonzero(~np.isin(rows.values, around)))
    return unknown / words if words else 0.0


def tell_unknown(task: str, found: DataSet, tokenizer: Tokenizer) -> None:
    """Warn where the encoder does not know many of a data set's words."""
    share = unknown_share(found.inputs, tokenizer)
    if share >= MANY_UNKNOWN:
        _log.warning(
            "task %s: %s: %.0f%% of the tokens are unknown to the encoder's vocabulary (%s); what "
            "they say is lost; take an encoder of the texts' language and letter case",
            task, found.path, 100 * share, tokenizer.roles.get("unk_token", "[UNK]"),
        )  # fmt: skip
