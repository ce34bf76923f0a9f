"""Searches whose trials are made up: files of runs with known scores, and no training."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from mtbert.config.load import load_config
from mtbert.io import atomic
from mtbert.studies.engines.base import Engine
from mtbert.studies.search import tuner
from mtbert.studies.search.check import check_space
from mtbert.studies.search.plan import Search
from mtbert.studies.search.space import read_space
from mtbert.studies.search.tuner import tune
from support.kills import CHANGES_OF_FILES, server

KILLED_TRIALS = 7


def score_of(settings) -> float:
    """The best is at a rate of 1e-3 and weight decay 0."""
    rate = settings.training.learning_rate
    return round(1 / (1 + abs(rate - 1e-3) * 1000) - settings.training.weight_decay, 6)


def write_trial(path: Path, epochs=None, config="planned.yaml") -> None:
    """The files of a run, finished unless only so many epochs are asked for."""
    settings = load_config(str(path / config))
    whole = settings.training.epochs
    best = score_of(settings)
    records = [
        {"kind": "dev", "epoch": e, "step": e, "dev": {"sst": {"accuracy": 0.5}},
         "score": best * e / whole, "best": True}
        for e in range(1, (epochs or whole) + 1)
    ]  # fmt: skip
    if config != "config.yaml":
        (path / "config.yaml").write_bytes((path / config).read_bytes())
    atomic.write_text(path / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in records))
    if epochs is None:
        (path / "model").mkdir(exist_ok=True)
        (path / "checkpoints").mkdir(exist_ok=True)
        atomic.write_text(path / "predictions" / "sst-dev.jsonl", "")
        summary = {
            "dev": {"sst": {"accuracy": 0.5}}, "overall": 0.5, "mean": 0.5, "best_epoch": whole,
            "seconds": 1.0, "seed": settings.seed, "versions": {"mtbert": "0"},
        }  # fmt: skip
        atomic.write_json(path / "summary.json", summary)


class Launches:
    """In the place of an engine's: every trial is finished at once, but for those told otherwise.

    Attributes:
        names: of the run folders, as they were started.
        special: what to do instead, by the number of the trial.
    """

    def __init__(self, special=None):
        self.names, self.special = [], special or {}

    def __call__(self, path, environment):
        self.names.append(path.name)
        number = int(path.name.split("-")[0].removeprefix("t"))
        if number in self.special:
            return self.special[number](path)
        write_trial(path)
        return subprocess.Popen(["true"])


def search_of(config: Path, *space, sampler="grid", pruning="none", overrides=()) -> Search:
    """A search over what `--search` would say."""
    found = read_space(space)
    settings = check_space(found, str(config), overrides)
    return Search(str(config), overrides, settings, found, sampler, pruning)


def run_search(search, folder, trials=100, workers=1, launch=None):
    """The trials of a search in a folder, by made-up runs."""
    if search.sampler == "grid":
        trials = min(trials, len(search.space.grid()))
    return tune(search, folder, trials, workers, Engine(launch or Launches(), 1))


class Killed:
    """A search of a few trials in a process of its own, killed before a change of a file.

    Attributes:
        code: 0, or minus the signal that ended it.
        events: how many changes of files it came to.
        trials: number, outcome, values, score and epochs of each trial, if it came to the end.
    """

    def __init__(self, config: Path, folder: Path, at: int | None) -> None:
        folder.mkdir(exist_ok=True)
        notes = folder.with_name(f"{folder.name}.notes")
        process = server().Process(target=_search, args=(str(config), str(folder), str(notes), at))
        process.start()
        process.join(300)
        self.code = process.exitcode
        self.events, self.trials = 0, None
        if self.code == 0:
            self.events, self.trials = json.loads(notes.read_text())


def _search(config, folder, notes, at):
    """The child: one TPE search, with pruning, whose runs write their files in this process."""
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 — a traceback is seen by its code
    count = itertools.count()

    def audit(kind, args):
        if kind not in CHANGES_OF_FILES or (kind == "open" and not args[2] & os.O_ACCMODE):
            return
        paths = [os.fsdecode(p) for p in args[: CHANGES_OF_FILES[kind]] if not isinstance(p, int)]
        if any(path.startswith(folder) for path in paths) and next(count) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    tuner._POLL_SECONDS = 0.001
    space = ("training.learning_rate=1e-5..1e-2:log", "training.weight_decay=0.0,0.1,0.2")
    search = search_of(Path(config), *space, sampler="tpe", pruning="median")
    found = run_search(search, Path(folder), trials=KILLED_TRIALS)
    trials = [[t.number, t.outcome, dict(t.values), t.score, dict(t.epochs)] for t in found]
    Path(notes).write_text(json.dumps([next(count), trials]))
