"""One run of a job: trained in a folder that is thrown away, scored on the test files."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.own_tasks.frozen import frozen_scores
from benchmarks.own_tasks.table import DataSet
from mtbert.config.load import parse_settings
from mtbert.config.training import TrainingSettings
from mtbert.data.tasks import read_set, skipping_bad_rows
from mtbert.inference.evaluate import EvaluationSet, evaluate
from mtbert.inference.saved_run import load_run
from mtbert.runs.scores import main_metric
from mtbert.training.run import train

__all__ = ["ALONE", "BEFORE", "FROZEN", "JOINT", "SWEEP", "Job", "jobs_of", "outdated", "take"]

JOINT, ALONE, SWEEP, BEFORE, FROZEN = "joint", "alone", "sweep", "before", "frozen"

_OLD_TRAINING = {
    "epochs": 4, "batch_size": 32, "learning_rate": 1e-4, "head_learning_rate": None,
    "schedule": "linear", "warmup": 0.1, "weight_decay": 0.0, "clip": None, "batching": "method3",
    "select": "sum",
}  # fmt: skip
_OLD_TASK = {"head": "cls", "pair_encoding": "jointly"}
_OLD_REGRESSION = {"target": "raw"}
"""The recipe of README.md before version 0.2 had defaults of its own, on the defaults of then."""

_OF_EQUAL = "last"
"""Which of the epochs with the best score is kept."""
_RATES = (1e-4, 4e-4)
_EPOCHS = (0.5, 1.5)
"""The sweep: rates of the encoder, and epochs in parts of the automatic ones."""


@dataclass(frozen=True)
class Job:
    """What is run on a data set.

    Attributes:
        name: `joint`, `alone TASK`, `sweep …`, `before` or `frozen`.
        tasks: that are trained together; none means all.
        training: settings that differ from the defaults; `epochs` as a part of the automatic ones.
        old: whether the settings are those of old.
    """

    name: str
    tasks: tuple[str, ...] = ()
    training: Mapping[str, float] = field(default_factory=dict)
    old: bool = False


def jobs_of(data: DataSet) -> list[Job]:
    """Every job of a data set, the quick ones first, the sweep last."""
    sweep = [
        Job(
            f"{SWEEP} rate {rate:g}, epochs x {part:g}", (), {"learning_rate": rate, "epochs": part}
        )
        for rate in _RATES
        for part in _EPOCHS
    ]
    alone = [Job(f"{ALONE} {task}", (task,)) for task in data.tasks]
    return [Job(FROZEN), Job(BEFORE, old=True), Job(JOINT), *alone, *sweep]


def outdated(record: Mapping[str, Any]) -> bool:
    """Whether a run's best epoch was chosen otherwise than the defaults choose it now."""
    if record["job"] in (FROZEN, BEFORE):
        return False
    chosen = record.get("select", "sum"), record.get("of_equal", "first")
    return chosen != (TrainingSettings().select, _OF_EQUAL)


def take(job: Job, data: DataSet, folder: Path, seed: int, epochs: int | None) -> dict[str, Any]:
    """Run a job; what it scored on dev and test, by task, and what it cost.

    Args:
        job: what to run.
        data: the data set.
        folder: where its files lie.
        seed: of the run.
        epochs: what the joint run's were, which a sweep takes parts of.
    """
    tree = data.configuration(folder, *job.tasks) | {"seed": seed}
    started = time.perf_counter()
    if job.name == FROZEN:
        return {"test": frozen_scores(tree), "seconds": time.perf_counter() - started}
    tests = {name: task["dev"]["test"] for name, task in tree["tasks"].items()}
    if job.tasks:  # alone, the blanks of a file that several tasks share are bad rows
        for task in tree["tasks"].values():
            task["on_bad_rows"] = "skip"
    for name, task in tree["tasks"].items():
        tree["tasks"][name] = {**task, "dev": task["dev"]["dev"]} | (_old(task) if job.old else {})
    training: dict[str, Any] = dict(_OLD_TRAINING) if job.old else dict(job.training)
    if "epochs" in job.training:
        assert epochs is not None
        training["epochs"] = max(1, math.ceil(epochs * job.training["epochs"]))
    logging.getLogger("mtbert").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        summary = train(parse_settings({**tree, "training": training}, "own tasks"), run)
        seconds = time.perf_counter() - started
        test = _test_scores(run, tests)
        settings, _ = load_run(run)
    used = settings.training
    return {
        "test": test,
        "dev": {task: metrics[main_metric(metrics)] for task, metrics in summary["dev"].items()},
        "epochs": used.epochs,
        "steps": summary["steps"],
        "best_epoch": summary["best_epoch"],
        "select": used.select,
        "of_equal": _OF_EQUAL,
        "learning_rate": used.learning_rate,
        "head_learning_rate": used.head_learning_rate,
        "seconds": seconds,
    }


def _old(task: Mapping[str, Any]) -> dict[str, Any]:
    return _OLD_TASK | (_OLD_REGRESSION if "regression" in task["kind"] else {})


def _test_scores(run: Path, files: Mapping[str, str]) -> dict[str, float]:
    """The main metric of each task on its test file."""
    settings, model = load_run(run)
    lenient = skipping_bad_rows(settings)  # rows without this task's label
    sets = []
    for name, file in files.items():
        found = read_set(lenient, name, file, model.tokenizer, cache=None)
        sets.append(EvaluationSet(name, "test", found.ids, found.inputs))
    return evaluate(model.network, sets).main
