"""How long should threads that wait keep a core busy: alone, and beside other work?

Whole runs of the command line on SST with two threads, with different values of `GOMP_SPINCOUNT`;
beside other work: two processes that never rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabulate import tabulate

from benchmarks.common import Result, configuration, data_in_use, medians, ratios, say
from mtbert.hardware.machine import QUIET, Stopwatch

ROUNDS = 3
STEPS = 12
SPINS = {"OpenMP's own": "300000", "10,000": "10000", "1,000 (mtbert)": "1000", "none": "0"}
"""300,000 is what the library takes where nothing is set and the cores are not oversubscribed."""
PLACES = ("alone", "beside two busy processes")
_FIRST = next(iter(SPINS))


def run(rounds: int) -> Result:
    """Let the values take turns, first alone and then beside the others."""
    turns: dict[str, list[dict[str, float]]] = {f"{s}, {p}": [] for s in SPINS for p in PLACES}
    for number in range(rounds):
        for place in PLACES:
            for name, spins in SPINS.items():
                with _others(0 if place == "alone" else 2):
                    turns[f"{name}, {place}"].append(_train(spins, number))
        say(f"round {number + 1}/{rounds}")
    middle = medians(turns)
    faster = {
        name: ratios(turns, "seconds", f"{_FIRST}, {name.split(', ')[-1]}", name) for name in turns
    }
    rows = [[n, f["seconds"], f["processor"], faster[n]["median"]] for n, f in middle.items()]
    headers = ["spins", "seconds", "processor seconds", f"times {_FIRST}"]
    worst = max(t["others"] for s in SPINS for t in turns[f"{s}, {PLACES[0]}"])
    verdict = "quiet" if worst <= QUIET else "BUSY: the rows `alone` were not"
    return Result(
        f"{STEPS} steps with two threads, medians of {rounds} rounds",
        tabulate(rows, headers, floatfmt=("", ".1f", ".1f", ".2f")),
        data_in_use() | {"rounds": rounds, "steps": STEPS},
        turns,
        {"medians": middle, "faster": faster},
        [f"`alone`, other processes took up to {worst:.0%} of the processor ({verdict})."],
    )


@contextmanager
def _others(count: int) -> Iterator[None]:
    """So many processes that never rest."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _train(spins: str, number: int) -> dict[str, float]:
    training = {"epochs": 1, "steps_per_epoch": STEPS, "batch_size": 32}
    tree = configuration("sst", training=training, seed=number + 1, threads=2)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(tree), encoding="utf-8")
        environment = os.environ | {"GOMP_SPINCOUNT": spins}
        environment.pop("OMP_WAIT_POLICY", None)
        environment.pop("OMP_NUM_THREADS", None)
        before, watch, start = os.times(), Stopwatch(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "mtbert", "--quiet", "train", str(config),
             "--output", f"{folder}/run"],
            check=True, stdout=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        seconds, after = time.perf_counter() - start, os.times()
    own = after.children_user - before.children_user
    return {"seconds": seconds, "processor": own, "others": watch.read()["others"]}
