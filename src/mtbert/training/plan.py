"""The plan of a run as text, shown before the first step."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from mtbert.config.settings import Settings
from mtbert.methods.sampling.base import EpochSpec
from mtbert.methods.sampling.epoch import epoch_length, task_plans
from mtbert.training.ema import decay_after

__all__ = ["describe"]


def describe(
    settings: Settings,
    spec: EpochSpec,
    truncated: Mapping[str, int],
    learning: Mapping[str, int],
    times_encoder: float,
    hardware: str,
) -> str:
    """The plan as text.

    Args:
        settings: of the run.
        spec: of the training data.
        truncated: training texts that were cut, by task.
        learning: parameters that learn: `shared`, of the tasks' `own` parts, of the `heads`.
        times_encoder: parameters below the heads, beside those of one encoder.
        hardware: precision, device and threads in use.
    """
    training = settings.training
    plans = task_plans(training.batching, spec, settings.seed)
    total = sum(plan.examples for plan in plans.values())
    rows = [
        [
            name,
            plan.rows,
            plan.batches,
            plan.batch,
            f"{plan.examples / plan.rows:.2f}",
            f"{plan.examples / total:.0%}",
            f"{settings.tasks[name].loss_weight * plan.factor:g}",
            _truncation(truncated[name], settings.tasks[name].long_texts),
        ]
        for name, plan in plans.items()
    ]
    headers = [
        "task", "rows", "batches an epoch", "batch", "passes an epoch", "share", "loss weight",
        "truncated",
    ]  # fmt: skip
    steps = epoch_length(training.batching, spec)
    mode = settings.encoder.mode
    whole, first = training.epochs, settings.encoder.heads_first_epochs
    assert whole != "auto"
    epochs = _count(whole, "epoch")
    if mode == "heads_first" and first != "auto":
        heads_first = _count(first, "epoch")
        epochs = f"{heads_first} of the heads alone, then {epochs}"
    return "\n".join(
        [
            tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * 7)),
            "",
            f"{epochs} of {_count(steps, 'step')} ({training.batching}, surgery "
            f"{training.surgery_in_words}); the best by {training.select} is kept",
            _rates(settings),
            f"encoder {settings.encoder.path} ({mode}): {learning['shared']:,} of its parameters "
            f"learn, and {learning['heads']:,} of the heads",
            *_own_parts(settings, learning["own"], times_encoder),
            *_average(training.average, whole * steps),
            f"{hardware}, seed {settings.seed}",
        ]
    )


def _own_parts(settings: Settings, own: int, times_encoder: float) -> list[str]:
    """What the tasks have below their heads, each for itself."""
    if not own:
        return []
    return [
        f"sharing {settings.encoder.sharing}: {own:,} parameters of the tasks' own below their "
        f"heads; {times_encoder:.2f} x the encoder in all"
    ]


def _average(decay: float | None, updates: int) -> list[str]:
    """The decay that the average of the weights ends with."""
    if decay is None:
        return []
    last = decay_after(updates, decay)
    reached = "" if last == decay else f" (after these steps {last:.4g})"
    return [f"kept is the average of the weights, with a decay of {decay:g}{reached}"]


def _truncation(texts: int, mode: str) -> str:
    """Texts that were cut, and how, unless at their end as everywhere."""
    return f"{texts}" if mode == "head" else f"{texts} ({mode})"


def _rates(settings: Settings) -> str:
    """The peak rates as they are given; null is the paper's (`training.phases`)."""
    training = settings.training
    heads = training.head_learning_rate
    below = "own parts" if settings.encoder.mode == "frozen" else "encoder"
    named = {below: training.learning_rate, "heads": heads}
    if settings.encoder.stores_features:
        named = {"heads": training.learning_rate if heads is None else heads}
    shown = ", ".join(
        f"{part} {'the default of the paper' if rate is None else f'{rate:g}'}"
        for part, rate in named.items()
    )
    return f"peak learning rates: {shown}; {training.schedule}, warm-up {training.warmup:g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
