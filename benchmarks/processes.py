"""What do two processes of one run give, beside one process with as many threads?

Whole runs of the command line on SST, random batches: one process with one thread, one with two,
two processes (torchrun, gloo) with a thread each. The batch of an update is the same for all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from benchmarks.common import (
    Result,
    Stopwatch,
    busy_note,
    configuration,
    data_in_use,
    medians,
    ratios,
    say,
)

ROUNDS = 3
EXAMPLES = 1_280
"""Of each run; 40 steps of the smaller batch."""
BATCHES = (32, 128)
FORMS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes": (2, 1)}
"""Processes, and the threads of each."""
_FIRST = next(iter(FORMS))


def run(rounds: int) -> Result:
    """Let the forms take turns at each size of the batch."""
    turns: dict[str, list[dict[str, float]]] = {
        f"{form}, batch {batch}": [] for batch in BATCHES for form in FORMS
    }
    for number in range(rounds):
        for batch in BATCHES:
            for form, (processes, threads) in FORMS.items():
                found = _train(batch, processes, threads, number)
                turns[f"{form}, batch {batch}"].append(found)
        say(f"round {number + 1}/{rounds}")
    middle = medians(turns)
    faster = {
        name: ratios(turns, "tokens_per_second", name, f"{_FIRST}, batch {name.split()[-1]}")
        for name in turns
    }
    rows = [[n, middle[n]["tokens_per_second"], faster[n]["median"]] for n in turns]
    return Result(
        f"One run by several processes, SST, medians of {rounds} rounds",
        tabulate(rows, ["", "real tokens/s", f"times {_FIRST}"], floatfmt=("", ".0f", ".2f")),
        data_in_use() | {"rounds": rounds, "examples": EXAMPLES},
        turns,
        {"medians": middle, "faster": faster},
        [busy_note(turns)],
    )


def _train(batch: int, processes: int, threads: int, number: int) -> dict[str, float]:
    steps = EXAMPLES // batch
    training = {"epochs": 1, "steps_per_epoch": steps, "batch_size": batch, "learning_rate": 5e-5}
    tree = configuration("sst", training=training, seed=number + 1, threads=threads)
    torchrun = [] if processes == 1 else [
        "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--rdzv-backend",
        "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(tree), encoding="utf-8")
        watch = Stopwatch()
        subprocess.run(
            [sys.executable, *torchrun, "-m", "mtbert", "--quiet", "train", str(config),
             "--output", f"{folder}/run"],
            check=True, stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": "lo"},
        )  # fmt: skip
        others = watch.read()["others"]
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text("utf-8"))
    return {"tokens_per_second": summary["tokens_per_second"], "others": others}
