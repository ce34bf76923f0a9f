"""What settings of `auto` become, from the sizes of the encoder and of the data: numbers.

The rules and what they were measured on: docs/defaults.md. Pure functions; a run's config.yaml
holds what they return, so a run goes on with the numbers that it was started with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from mtbert.config.former import FORMER
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.methods.sampling.epoch import epoch_length

__all__ = ["FEW_PAIRS", "encoder_rate", "epochs_of", "resolved", "with_epochs", "with_pair_forms"]

FEW_PAIRS = 500
"""With fewer training pairs each text is encoded alone."""

_RATES = ((512, 2e-4), (1024, 3e-5))
"""Width below which an encoder has this rate."""

_WIDE_RATE = 1e-5

_HEAD_RATE = 3e-3
"""A head begins with random weights, the encoder does not."""

_FROZEN_HEAD_RATE = 1e-2
"""Of heads on features that stay what they are, where a high rate can undo nothing."""

_NO_PAIR = {key: FORMER["tasks"][key] for key in ("features", "pair_encoding")}
"""Of single texts, where they play no part."""

_STEPS = 60
_MOST_EPOCHS = 40
_FROZEN_STEPS = 4 * _STEPS
"""Steps on stored features cost next to nothing."""

_FROZEN_MOST_EPOCHS = 200
_CHECKPOINT_STEPS = 100
"""A checkpoint takes as long as some ten steps on a CPU; of little data an epoch is no more."""


def encoder_rate(width: int) -> float:
    """Peak learning rate of an encoder whose hidden states have this width.

    2e-4 below 512 (MiniLM, BERT-small and smaller), 3e-5 for BERT-base, 1e-5 for BERT-large: the
    middle of what Devlin et al. 2019 (appendix A.3: 5e-5 to 2e-5) searched for base and large, what
    Turc et al. 2019 (1e-4 and 3e-4 for small ones) did, and the smaller rates that Mosbach et al.
    2021 (section 6) found stable for large ones.
    """
    return next((rate for limit, rate in _RATES if width < limit), _WIDE_RATE)


def epochs_of(steps: int, *, frozen: bool = False) -> int:
    """Epochs of so many steps: the whole run has about 60 times the square root of an epoch's.

    Little data are passed many times (7 steps: 23 epochs), much data once (1,600 steps and more).
    """
    factor, most = (_FROZEN_STEPS, _FROZEN_MOST_EPOCHS) if frozen else (_STEPS, _MOST_EPOCHS)
    return min(max(1, round(factor / math.sqrt(steps))), most)


def with_epochs(settings: Settings, examples: Mapping[str, int]) -> Settings:
    """The settings with numbers of epochs in the place of `auto`.

    Args:
        settings: of a run.
        examples: number of training examples by task.
    """
    mode = settings.encoder.mode
    whole, first = settings.training.epochs, settings.encoder.heads_first_epochs
    if first == "auto" and mode != "heads_first":
        settings = _changed(settings, {}, FORMER["encoder"])  # it plays no part
    whole_too, first_too = whole == "auto", first == "auto" and mode == "heads_first"
    if not whole_too and not first_too:
        return settings
    one = _changed(settings, {"epochs": 1}, {})
    steps = epoch_length(one.training.batching, one.epoch_spec(examples))
    return _changed(
        settings,
        {"epochs": epochs_of(steps, frozen=settings.encoder.stores_features)} if whole_too else {},
        {"heads_first_epochs": epochs_of(steps, frozen=True)} if first_too else {},
    )


def with_pair_forms(
    settings: Settings, count: Callable[[str], int], *, segments: int = 2
) -> Settings:
    """The settings with a form in the place of `auto` for pairs.

    A few hundred pairs do not teach an encoder to compare the texts of one sequence, while vectors
    of each text alone can be compared from the start; thousands do, and then it is better.

    Args:
        settings: of a run.
        count: training examples of a task, or `FEW_PAIRS` if there are more.
        segments: that the encoder tells apart in a sequence; with one, pairs are never one.
    """
    owners = {name: task.uses or name for name, task in settings.tasks.items()}
    forms = {
        owners[name]: "separately"
        for name, task in settings.tasks.items()
        if segments < 2 or task.long_texts == "windows" or task.features != "auto"
    }
    for name, task in settings.trained_tasks.items():
        if task.kind.is_pair and task.pair_encoding == "auto" and name not in forms:
            forms[name] = "separately" if count(name) < FEW_PAIRS else "jointly"
    tasks = {
        name: _with_pair_form(task, settings.tasks[owners[name]], forms.get(owners[name]))
        for name, task in settings.tasks.items()
    }
    return settings.model_copy(update={"tasks": tasks})


def _with_pair_form(task: TaskSettings, owner: TaskSettings, form: str | None) -> TaskSettings:
    """A task with the form of pairs that is given for the head of its owner."""
    if not task.kind.is_pair:
        return task.model_copy(update=_where_auto(task, _NO_PAIR))
    encoding: str = task.pair_encoding
    features = owner.features
    if encoding == "auto":
        assert form is not None
        encoding = form
    if features == "auto":
        features = "uv_absdiff_product" if encoding == "separately" else "uv"
    return task.model_copy(update={"pair_encoding": encoding, "features": features})


def resolved(settings: Settings, examples: Mapping[str, int], width: int) -> Settings:
    """The settings with numbers in the place of every `auto` that says how weights are learned.

    Args:
        settings: of a run.
        examples: number of training examples by task.
        width: of the encoder's hidden states.
    """
    settings = with_epochs(settings, examples)
    training, frozen = settings.training, settings.encoder.stores_features
    changes: dict[str, Any] = {}
    if training.learning_rate == "auto":
        changes["learning_rate"] = encoder_rate(width)
    if training.head_learning_rate == "auto":
        changes["head_learning_rate"] = _FROZEN_HEAD_RATE if frozen else _HEAD_RATE
    if training.checkpoint_every == "auto":
        steps = epoch_length(training.batching, settings.epoch_spec(examples))
        changes["checkpoint_every"] = None if steps >= _CHECKPOINT_STEPS else _CHECKPOINT_STEPS
    return _changed(settings, changes, {})


def _where_auto(task: TaskSettings, values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if getattr(task, key) == "auto"}


def _changed(
    settings: Settings, training: Mapping[str, Any], encoder: Mapping[str, Any]
) -> Settings:
    return settings.model_copy(
        update={
            "training": settings.training.model_copy(update=dict(training)),
            "encoder": settings.encoder.model_copy(update=dict(encoder)),
        }
    )
