"""How long until 400,000 question pairs are read, checked and tokenized, and a second time?

The pairs are put together from the questions of the course's Quora file, or of the demo data; one
in a thousand has no label. `read` is reading, checking and tokenizing alone, in a process of its
own. `first run` and `second run` are the command `mtbert train` up to the end of its first step,
with everything that takes: imports, encoder, dev set, plan. The second one finds the cache.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tabulate import tabulate

from benchmarks.common import (
    Result,
    Stopwatch,
    Turn,
    busy_note,
    configuration,
    data_in_use,
    interleave,
    medians,
    memory_mb,
    training_file,
)
from mtbert.config.tasks import TaskSettings
from mtbert.data.datasets import load_data_set
from mtbert.data.readers.table import open_table, read_table
from mtbert.data.tokenizer import Tokenizer
from mtbert.model.hub import PACKAGED, locate

ROUNDS = 1
PAIRS = 400_000
UNLABELLED = 1000
"""One row in so many has no label."""


def run(rounds: int, pairs: int = PAIRS) -> Result:
    """Write the file, then let reading, the first run, the second run and help take turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder / "pairs.csv", pairs)
        (folder / "run.yaml").write_text(json.dumps(_tree(folder)))
        contestants: dict[str, Callable[[], Turn]] = {
            "read": partial(_reader, folder / "pairs.csv"),
            "first run": partial(_command, folder, False),
            "second run": partial(_command, folder, True),
            "mtbert --help": _help,
        }
        turns = interleave(contestants, rounds)
    middle = medians(turns)
    rows = [
        [name, *(found.get(key) for key in ("seconds", "processor_seconds", "peak_mb"))]
        for name, found in middle.items()
    ]
    return Result(
        f"{pairs:,} question pairs, packaged tokenizer",
        tabulate(rows, ["", "seconds", "processor seconds", "peak MB"], floatfmt=".2f"),
        data_in_use() | {"pairs": pairs, "rounds": rounds, "one_unlabelled_in": UNLABELLED},
        turns,
        {"medians": middle},
        ["`peak MB` is the process's memory with all of torch in it.", busy_note(turns)],
    )


def write_pairs(path: Path, pairs: int) -> None:
    """A file in the course's form, the same for the same source."""
    source, _ = training_file("para")
    with open_table(source) as stream:
        rows = [row.values for row in read_table(stream, str(source)).rows if row.problem is None]
    questions = [row[side] for row in rows for side in ("sentence1", "sentence2") if row[side]]
    draw = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter="\t", lineterminator="\n")
        writer.writerow(["", "id", "sentence1", "sentence2", "is_duplicate"])
        for i in range(pairs):
            label = f"{i % 2}.0" if (i + 1) % UNLABELLED else ""
            row_id = f"{draw.getrandbits(100):025x}"
            writer.writerow([i, row_id, *draw.sample(questions, 2), label])


def _tree(folder: Path) -> dict[str, object]:
    tree = configuration("para", data={"dir": str(folder), "cache": str(folder / "cache")})
    dev = tree["tasks"]["para"]
    tasks = {
        "para": dev | {"train": "pairs.csv", "columns": {"label": "is_duplicate"}, "dev": None},
        # The dev file may name its label otherwise, so it is a task of its own.
        "dev": dev | {"train": None, "uses": "para"},
    }
    return tree | {"tasks": tasks, "training": {"epochs": 1}}


def _reader(path: Path) -> Turn:
    task = TaskSettings(
        kind="pair_classification", train="-", columns={"label": "is_duplicate"},
        on_bad_rows="skip",
    )  # fmt: skip
    tokenizer = Tokenizer.from_folder(locate(PACKAGED))
    return partial(_read, path, task, tokenizer)


def _read(path: Path, task: TaskSettings, tokenizer: Tokenizer, number: int) -> dict[str, float]:
    watch, before = Stopwatch(), time.process_time()
    held = memory_mb("VmRSS")
    found = load_data_set(path, task, tokenizer, 512)
    return watch.read() | {
        "processor_seconds": time.process_time() - before,
        "peak_mb": memory_mb("VmHWM"),
        "added_mb": memory_mb("VmHWM") - held,
        "examples": len(found),
        "tokens": int(found.inputs.lengths.sum()),
    }


def _command(folder: Path, again: bool) -> Turn:
    return partial(_until_first_step, folder, again)


def _until_first_step(folder: Path, again: bool, number: int) -> dict[str, float]:
    """Start a run, wait for the first line of its metrics, end it."""
    output = folder / f"run-{again}-{number}"
    if not again:
        for entry in (folder / "cache").glob("*"):
            entry.unlink()
    start = time.perf_counter()
    command = [sys.executable, "-m", "mtbert", "train", str(folder / "run.yaml")]
    with subprocess.Popen(
        [*command, "--output", str(output)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        metrics = output / "metrics.jsonl"
        while not (metrics.is_file() and metrics.stat().st_size):
            if process.poll() is not None:
                raise RuntimeError(f"the run ended with {process.returncode} before its first step")
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        found = _seen_from_outside(process.pid)
        process.kill()
    return {"seconds": seconds, "others": 0.0} | found


def _seen_from_outside(pid: int) -> dict[str, float]:
    """Processor seconds and peak memory of another process; Linux only."""
    proc = Path(f"/proc/{pid}")
    if not proc.is_dir():
        return {}
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    peak = next(s for s in (proc / "status").read_text().splitlines() if s.startswith("VmHWM"))
    return {
        "processor_seconds": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        "peak_mb": int(peak.split()[1]) / 1024,
    }


def _help() -> Turn:
    return _time_help


def _time_help(number: int) -> dict[str, float]:
    watch = Stopwatch()
    subprocess.run([sys.executable, "-m", "mtbert", "--help"], capture_output=True, check=True)
    return {"seconds": watch.read()["seconds"], "others": 0.0}
