"""What does each sharing scheme add to one step of three tasks, in time and memory?

The step is that of `pcgrad.py`, with the gradients summed. Each scheme has its defaults; those that
leave something to share also run with it frozen. Each is compared with hard sharing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tabulate import tabulate

from benchmarks import pcgrad
from benchmarks.common import (
    BATCH,
    Result,
    Turn,
    busy_note,
    data_in_use,
    interleave,
    medians,
    ratios,
)
from mtbert.config.methods import choose
from mtbert.config.sharing import DEFAULT_SHARING, SHARINGS
from mtbert.methods.aggregation.table import DEFAULT_AGGREGATOR

ROUNDS = 7
GOAL = 1.15
PLAIN = DEFAULT_SHARING.name


def run(rounds: int) -> Result:
    """Let all schemes take turns."""
    turns = interleave(contestants(), rounds)
    middle = medians(turns)
    compared = {name: ratios(turns, "ms", name, PLAIN) for name in turns}
    rows = [
        [name, middle[name]["ms"], r["median"], r["least"], r["greatest"], middle[name]["peak_mb"]]
        for name, r in compared.items()
    ]
    slow = [name for name, ratio in compared.items() if ratio["median"] > GOAL]
    return Result(
        f"One step of three tasks, {BATCH} examples each, medians of {rounds} rounds",
        tabulate(
            rows,
            ["", "ms", f"/ {PLAIN}", "least", "greatest", "peak memory added, MB"],
            floatfmt=("", ".0f", ".2f", ".2f", ".2f", ".0f"),
        ),
        data_in_use()
        | {
            "batch": BATCH,
            "rounds": rounds,
            "steps_a_round": pcgrad.STEPS,
            "warm_up_steps": pcgrad.WARM_UP,
            "goal": GOAL,
        },
        turns,
        {"medians": middle, "ratios": compared},
        [
            f"above {GOAL} times the plain step: {', '.join(slow) or 'none'}",
            busy_note(turns),
        ],
    )


def contestants() -> dict[str, Callable[[], Turn]]:
    """Every scheme, by name; `NAME, frozen` where what is shared does not learn."""
    found: dict[str, Callable[[], Turn]] = {}
    for kind in SHARINGS:
        name = str(kind.model_fields["name"].default)
        found[name] = partial(_scheme, name, frozen=False)
        if kind.has_own and kind.has_shared:
            found[f"{name}, frozen"] = partial(_scheme, name, frozen=True)
    return found


def _scheme(name: str, *, frozen: bool) -> Turn:
    sources, step_with = pcgrad.own_steps(choose(SHARINGS, name), frozen=frozen)
    train = step_with(DEFAULT_AGGREGATOR)
    return partial(pcgrad.take_turn, sources, train, pcgrad.held_mb())
