"""How many floating-point operations a second can this processor do at BERT's shapes?

The fastest matrix product found is the ceiling that training is measured against.
"""

from __future__ import annotations

from tabulate import tabulate

from benchmarks.common import Result, Stopwatch, Turn, busy_note, medians, say
from mtbert.hardware.machine import TOKENS, ceilings, product_kinds, product_speeds

ROUNDS = 5


def run(rounds: int) -> Result:
    """Measure every shape in every kind of numbers."""
    turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in product_kinds()}
    for number in range(rounds):
        for kind in turns:
            watch = Stopwatch()
            turns[kind].append(product_speeds(kind) | {"others": watch.read()["others"]})
        say(f"round {number + 1}/{rounds}")
    middle = medians(turns)
    shapes = [shape for shape in middle["fp32"] if shape != "others"]
    best = {kind: max(values[shape] for shape in shapes) for kind, values in middle.items()}
    rows = [[shape, *(middle[kind][shape] for kind in middle)] for shape in shapes]
    return Result(
        f"Matrix products of {TOKENS['cpu']} tokens, GFLOP/s",
        tabulate([*rows, ["best", *best.values()]], ["shape", *middle], floatfmt=".0f"),
        {"tokens": TOKENS["cpu"], "rounds": rounds, "unit": "GFLOP/s"},
        turns,
        {"medians": middle, "best": best},
        [
            "fp32 is torch's default; fp32 oneDNN has no gradient in torch and is for comparison.",
            busy_note(turns),
        ],
    )


def measure(number: int) -> dict[str, float]:
    """A turn among others: the best shape's GFLOP/s in each kind of numbers."""
    watch = Stopwatch()
    best = dict(ceilings())
    return best | {"others": watch.read()["others"]}


def turn() -> Turn:
    """A contestant for `interleave`."""
    return measure
