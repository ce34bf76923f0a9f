"""Which phases a run has, by `encoder.mode`."""

from __future__ import annotations

from collections.abc import Callable

from mtbert.training.phases.base import Phase
from mtbert.training.phases.finetune import finetune_phase, own_parts_phase
from mtbert.training.phases.heads import heads_phase
from mtbert.training.setup import Prepared

__all__ = ["PHASES", "phases_of"]


def _frozen_phase(prepared: Prepared) -> Phase:
    """What the tasks do not share learns: from features if that is the heads alone."""
    stores = prepared.settings.encoder.stores_features
    return heads_phase(prepared) if stores else own_parts_phase(prepared)


PHASES: dict[str, tuple[Callable[[Prepared], Phase], ...]] = {
    "finetune": (finetune_phase,),
    "frozen": (_frozen_phase,),
    "heads_first": (heads_phase, finetune_phase),
}


def phases_of(prepared: Prepared) -> list[Phase]:
    """The phases of a run, in order; nothing is computed for them yet."""
    return [make(prepared) for make in PHASES[prepared.settings.encoder.mode]]
