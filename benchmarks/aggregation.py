"""What does each aggregator of the tasks' gradients add to one step of three tasks?

The step is that of `pcgrad.py`. All aggregators of the table take turns in one process, with one
network, for they differ in nothing else; each is compared with the plain sum of the same round.
"""

from __future__ import annotations

from functools import partial

from tabulate import tabulate

from benchmarks import pcgrad
from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    Turn,
    busy_note,
    data_in_use,
    interleave,
    ratios,
    say,
    steps,
)
from mtbert.config.methods import choose
from mtbert.data.batches import TokenizedSet
from mtbert.methods.aggregation.table import AGGREGATORS, DEFAULT_AGGREGATOR

ROUNDS = 9
WARM_UP = 2
GOAL = 1.05
PLAIN = DEFAULT_AGGREGATOR.name


def run(rounds: int) -> Result:
    """Let all aggregators take turns."""
    turns = interleave({"all": members}, rounds)
    found = {name: [{"ms": turn[name]} for turn in turns["all"]] for name in _names()}
    compared = {name: ratios(found, "ms", name, PLAIN) for name in _names()}
    milliseconds = {
        name: sorted(turn["ms"] for turn in figures)[len(figures) // 2]
        for name, figures in found.items()
    }
    rows = [
        [name, milliseconds[name], ratio["median"], ratio["least"], ratio["greatest"]]
        for name, ratio in compared.items()
    ]
    slow = [name for name, ratio in compared.items() if ratio["median"] > GOAL]
    return Result(
        f"One step of three tasks, {BATCH} examples each, medians of {rounds} rounds",
        tabulate(rows, ["", "ms", f"/ {PLAIN}", "least", "greatest"], floatfmt=".2f"),
        data_in_use()
        | {
            "batch": BATCH,
            "rounds": rounds,
            "steps_a_round": 1,
            "warm_up_steps": WARM_UP,
            "goal": GOAL,
        },
        turns,
        {"milliseconds": milliseconds, "ratios": compared},
        [
            f"above {GOAL} times the plain step: {', '.join(slow) or 'none'}",
            busy_note(turns),
        ],
    )


def _names() -> list[str]:
    return [str(kind.model_fields["name"].default) for kind in AGGREGATORS]


def members() -> Turn:
    """The one contestant: a turn measures a step with each aggregator, all on the same batches."""
    sources, step_with = pcgrad.own_steps()
    trained = {name: step_with(choose(AGGREGATORS, name)) for name in _names()}
    return partial(_turn, sources, trained)


def _turn(
    sources: dict[str, TokenizedSet], trained: dict[str, pcgrad.Train], number: int
) -> dict[str, float]:
    *warm_up, measured = steps(sources, number, WARM_UP + 1)
    for step in warm_up:
        trained[PLAIN](step)
    found = {"others": 0.0}
    for name, train in trained.items():
        train(measured)  # its own warm-up: memory of another step's sizes is not at hand
        watch = Stopwatch()
        train(measured)
        spent = watch.read()
        found[name] = spent["seconds"] * 1e3
        found["others"] = max(found["others"], spent["others"])
        say(f"  {name}: {found[name]:.0f} ms")
    return found
