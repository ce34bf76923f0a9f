"""Fine-tuning: the encoder, or the tasks' own parts of it, and the heads train on tokens."""

from __future__ import annotations

from functools import partial

from mtbert.inference.evaluate import Evaluation, evaluate
from mtbert.model.network import MultitaskNetwork
from mtbert.training.phases.base import Phase, PhaseData, example_ids, loss_class_weights
from mtbert.training.setup import Prepared

__all__ = ["finetune_phase", "own_parts_phase"]

_FINETUNE_RATE = 1e-5  # the paper, section 3.4
_OWN_RATE = 1e-3


def finetune_phase(prepared: Prepared) -> Phase:
    """Train all parameters."""
    return _phase(prepared, "all", trains_encoder=True, default_rate=_FINETUNE_RATE)


def own_parts_phase(prepared: Prepared) -> Phase:
    """Train the tasks' own parts and the heads; what the tasks share stays what it is."""
    return _phase(prepared, "own", trains_encoder=False, default_rate=_OWN_RATE)


def _phase(prepared: Prepared, name: str, *, trains_encoder: bool, default_rate: float) -> Phase:
    training = prepared.settings.training
    rate, head_rate = training.learning_rate or default_rate, training.head_learning_rate
    assert rate != "auto" and head_rate != "auto" and training.epochs != "auto"
    return Phase(
        name=name,
        epochs=training.epochs,
        spec=prepared.spec,
        trains_encoder=trains_encoder,
        trains_own=True,
        learning_rate=rate,
        head_learning_rate=head_rate or rate,
        prepare=partial(_prepare, prepared),
    )


def _prepare(prepared: Prepared) -> PhaseData:
    runtime = prepared.runtime

    def evaluate_tokens(network: MultitaskNetwork) -> Evaluation:
        return evaluate(network, prepared.dev, runtime.memory, runtime.processes)

    return PhaseData(
        sources=prepared.train,
        ids=example_ids(prepared),
        class_weights=loss_class_weights(prepared),
        evaluate=evaluate_tokens,
    )
