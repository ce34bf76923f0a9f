"""Which phases a run has, by `encoder.mode`."""

from __future__ import annotations

from collections.abc import Callable

from mtbert.training.phases.base import Phase
from mtbert.training.phases.finetune import finetune_phase
from mtbert.training.phases.heads import heads_phase
from mtbert.training.setup import Prepared

__all__ = ["PHASES", "phases_of"]

PHASES: dict[str, tuple[Callable[[Prepared], Phase], ...]] = {
    "finetune": (finetune_phase,),
    "frozen": (heads_phase,),
    "heads_first": (heads_phase, finetune_phase),
}


def phases_of(prepared: Prepared) -> list[Phase]:
    """The phases of a run, in order; nothing is computed for them yet."""
    return [make(prepared) for make in PHASES[prepared.settings.encoder.mode]]
