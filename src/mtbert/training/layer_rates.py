"""Layer-wise learning-rate decay: the lower a layer of the encoder, the smaller its rate."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["layer_factors"]

_PLACE = re.compile(r"(?:^|\.)(?:(embeddings)|layers\.(\d+))\.")


def layer_factors(names: Iterable[str], layers: int, decay: float) -> dict[str, float]:
    """Factors of the learning rate, by name of a parameter of the trunk.

    With d the decay: 1 for the last layer and what stands above it, d for the layer below, d^2 for
    the next, and d^layers for the embeddings.

    Source: Howard and Ruder 2018 (ULMFiT), "Discriminative fine-tuning"; for the layers of BERT Sun
    et al. 2019, "Layer-wise Decreasing Layer Rate", and ELECTRA (Clark et al. 2020), where the
    heads have the full rate too. ELECTRA gives the last layer d^2; here the rate that is set,
    `training.learning_rate`, is the last layer's.

    Args:
        names: of the trunk's parameters. What belongs to a layer has `layers.NUMBER.` in its name,
            counted from 0; what belongs to the embeddings `embeddings.`; all others stand above.
        layers: of the encoder.
        decay: d, in (0, 1].
    """
    return {name: decay ** _below_the_last(name, layers) for name in names}


def _below_the_last(name: str, layers: int) -> int:
    """How many layers stand above a parameter's."""
    found = _PLACE.search(name)
    if found is None:
        return 0
    return layers if found[1] else layers - 1 - int(found[2])
