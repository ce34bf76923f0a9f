"""Are all tasks of a joint run as good as alone, and as the best of a sweep, with nothing but files
and columns in the configuration? Six small data sets of our own and the course's, three seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import machine, say
from benchmarks.own_tasks.data_sets import make
from benchmarks.own_tasks.jobs import FROZEN, JOINT, SWEEP, Job, jobs_of, outdated, take
from benchmarks.own_tasks.records import Records
from benchmarks.own_tasks.table import DataSet, write
from benchmarks.own_tasks.verdicts import best_of_sweep

__all__ = ["RECORDS", "SEEDS", "measure"]

SEEDS = (1, 2, 3)
RECORDS = Path(__file__).parents[1] / "results" / "own-tasks"


def measure(names: Sequence[str], seeds: Sequence[int]) -> None:
    """Run the jobs that have no record yet, or an outdated one, seed after seed."""
    about = machine()
    hardware = {key: about[key] for key in ("processor", "threads", "computes_bf16")}
    for seed in seeds:
        for name in names:
            data, records = make(name), Records(RECORDS, name)
            if not all(table.rows for table in data.tables.values()):
                say(f"{name}: its data are not at hand")
                continue
            with tempfile.TemporaryDirectory() as place:
                write(data, Path(place))
                for job in jobs_of(data):
                    made = records.find(job.name, seed)
                    if made is not None and not outdated(made):
                        continue
                    if _needless(job, data, seed, records):
                        continue
                    joint = records.find(JOINT, seed)
                    epochs = None if joint is None else joint["epochs"]
                    found = take(job, data, Path(place), seed, epochs)
                    records.add({"job": job.name, "seed": seed, **found, "machine": hardware})
                    say(
                        f"{name}, seed {seed}, {job.name}: {found['seconds']:.0f} s {found['test']}"
                    )


def _needless(job: Job, data: DataSet, seed: int, records: Records) -> bool:
    """The linear model has no seed; of the sweep the first seed chooses what the others run."""
    if job.name == FROZEN:
        return seed > 1
    if not job.name.startswith(SWEEP) or seed == 1:
        return False
    return job.name not in {best_of_sweep(records.runs, task) for task in data.tasks}
