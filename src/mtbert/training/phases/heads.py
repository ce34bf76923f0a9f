"""Training only the heads, on features that the frozen encoder computes once.

A head with attention reads every token, and these are too many to be kept: the encoder encodes the
texts of such a task anew in each epoch.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial

from mtbert.data.batches import FeatureSet, TokenizedSet
from mtbert.inference.evaluate import Evaluation, evaluate
from mtbert.inference.predict import compute_features
from mtbert.model.network import MultitaskNetwork
from mtbert.training.phases.base import Phase, PhaseData, example_ids, loss_class_weights
from mtbert.training.setup import Prepared

__all__ = ["heads_phase"]

_FROZEN_RATE = 1e-3  # the paper, section 3.4

_log = logging.getLogger(__name__)


def heads_phase(prepared: Prepared) -> Phase:
    """Train the heads: the whole run where the encoder stays frozen, its first part otherwise."""
    settings, training = prepared.settings, prepared.settings.training
    whole_run = settings.encoder.stores_features
    rate = training.head_learning_rate
    if rate is None:
        rate = (training.learning_rate if whole_run else None) or _FROZEN_RATE
    epochs = training.epochs if whole_run else settings.encoder.heads_first_epochs
    assert rate != "auto" and epochs != "auto"
    return Phase(
        name="heads",
        epochs=epochs,
        spec=replace(prepared.spec, epochs=epochs),
        trains_encoder=False,
        trains_own=False,
        learning_rate=rate,
        head_learning_rate=rate,
        prepare=partial(_prepare, prepared),
    )


def _prepare(prepared: Prepared) -> PhaseData:
    """Encode everything once; the heads learn from the features."""
    started = time.perf_counter()
    _log.info("encoding once what the frozen encoder would encode every epoch")
    sources = {name: _features(prepared, name, part) for name, part in prepared.train.items()}
    encoded = frozenset(name for name, part in sources.items() if isinstance(part, FeatureSet))
    seconds = time.perf_counter() - started
    dev = [
        replace(part, inputs=_features(prepared, part.task, part.inputs))
        for part in prepared.dev
        if isinstance(part.inputs, TokenizedSet)
    ]
    runtime = prepared.runtime

    def evaluate_features(network: MultitaskNetwork) -> Evaluation:
        return evaluate(network, dev, runtime.memory, runtime.processes)

    return PhaseData(
        sources=sources,
        ids=example_ids(prepared),
        class_weights=loss_class_weights(prepared),
        evaluate=evaluate_features,
        encoded=encoded,
        encoded_tokens=sum(
            int(part.lengths.sum()) * (2 if prepared.network.tasks[name].in_both_orders else 1)
            for name, part in prepared.train.items()
            if name in encoded
        ),
        encoding_seconds=seconds,
    )


def _features(prepared: Prepared, task: str, examples: TokenizedSet) -> FeatureSet | TokenizedSet:
    """What the task's head reads; the sequences themselves where that is every token."""
    if prepared.network.head(task).attention is not None:
        return examples
    runtime = prepared.runtime
    return compute_features(prepared.network, task, examples, runtime.memory, runtime.processes)
