"""Fine-tuning: the encoder and the heads train together, on token sequences."""

from __future__ import annotations

from functools import partial

from mtbert.inference.evaluate import Evaluation, evaluate
from mtbert.model.network import MultitaskNetwork
from mtbert.training.phases.base import Phase, PhaseData, example_ids, loss_class_weights
from mtbert.training.setup import Prepared

__all__ = ["finetune_phase"]

_FINETUNE_RATE = 1e-5  # the paper, section 3.4


def finetune_phase(prepared: Prepared) -> Phase:
    """Train all parameters."""
    training = prepared.settings.training
    rate, head_rate = training.learning_rate or _FINETUNE_RATE, training.head_learning_rate
    assert rate != "auto" and head_rate != "auto" and training.epochs != "auto"
    return Phase(
        name="all",
        epochs=training.epochs,
        spec=prepared.spec,
        trains_encoder=True,
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
