"""Records → the table: scores with intervals, and whether a joint run is as good as it must be."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from benchmarks.own_tasks.data_sets import make
from benchmarks.own_tasks.jobs import ALONE, BEFORE, FROZEN, JOINT, SWEEP, outdated

__all__ = ["Score", "best_of_sweep", "compare", "rows_of", "summary_of", "table_of"]

Runs = Sequence[Mapping[str, Any]]

_HEADERS = [
    "data set", "task", "seeds", "before", "joint", "alone", "best of sweep", "frozen, linear",
    "one se", "alone?", "sweep?",
]  # fmt: skip


@dataclass(frozen=True)
class Score:
    """A task's test scores over seeds.

    Attributes:
        values: one a seed.
        rows: of the test file.
        accuracy: whether it is a share of right answers; else a correlation.
    """

    values: Sequence[float]
    rows: int
    accuracy: bool

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def seeds_error(self) -> float:
        """Standard error of the mean from its seeds alone."""
        if len(self.values) < 2:
            return 0.0
        return statistics.stdev(self.values) / math.sqrt(len(self.values))

    @property
    def rows_error(self) -> float:
        """Standard error from the number of test rows: binomial, or (1 - r²) / sqrt(n - 1)."""
        if self.accuracy:
            return math.sqrt(self.mean * (1 - self.mean) / self.rows)
        return (1 - self.mean**2) / math.sqrt(self.rows - 1)

    @property
    def error(self) -> float:
        """Standard error from both."""
        return math.hypot(self.seeds_error, self.rows_error)

    def __str__(self) -> str:
        """The mean and half of its 95 % interval; a correlation may lack a value."""
        if math.isnan(self.mean):
            return "one answer"
        return f"{self.mean:.3f} ± {1.96 * self.error:.3f}"


def compare(joint: Score, other: Score) -> tuple[float, bool]:
    """One standard error of a joint run beside another, and whether it is no further below.

    The rows are the same for both, so theirs is counted once, the seeds' of each.
    """
    error = math.sqrt(joint.error**2 + other.seeds_error**2)
    return error, joint.mean >= other.mean - error


def rows_of(name: str, runs: Runs) -> list[dict[str, Any]]:
    """One row a task of a data set: its scores by column, and the verdicts."""
    data = make(name)
    rows = []
    for task, fields in data.tasks.items():
        table = data.tables[data.of_table[task]]
        count = table.test_labels(fields["columns"]["label"])
        accuracy = "regression" not in fields["kind"]

        def score(
            job: str, task: str = task, count: int = count, accuracy: bool = accuracy
        ) -> Score | None:
            values = [run["test"][task] for run in runs if run["job"] == job]
            return Score(values, count, accuracy) if values else None

        sweep = best_of_sweep(runs, task)
        rows.append(
            {
                "task": task,
                "before": score(BEFORE),
                "joint": score(JOINT),
                "alone": score(f"{ALONE} {task}"),
                "sweep": score(sweep) if sweep else None,
                "best": sweep,
                "frozen": score(FROZEN),
            }
        )
    return rows


def best_of_sweep(runs: Runs, task: str) -> str | None:
    """The point of the sweep that is best for a task on dev; the joint run is one of them.

    In the mean over the seeds that every point was run with.
    """
    names: set[str] = {run["job"] for run in runs if run["job"].startswith(SWEEP)}
    if not names:
        return None
    dev: dict[str, dict[int, float]] = {
        point: {run["seed"]: run["dev"][task] for run in runs if run["job"] == point}
        for point in (JOINT, *sorted(names))
    }
    seeds = set.intersection(*(set(found) for found in dev.values()))
    if not seeds:
        return None
    return max(dev, key=lambda point: statistics.fmean(dev[point][seed] for seed in seeds))


def table_of(runs: Mapping[str, Runs], style: str = "simple") -> str:
    """The table of all data sets."""
    lines = []
    for name, found in runs.items():
        for row in rows_of(name, found):
            joint = row["joint"]
            verdicts = ["", "", ""]
            if joint is not None and row["alone"] is not None and row["sweep"] is not None:
                against_alone, against_sweep = (compare(joint, row[k]) for k in ("alone", "sweep"))
                verdicts = [
                    f"{max(against_alone[0], against_sweep[0]):.3f}",
                    *("yes" if fine else "no" for _, fine in (against_alone, against_sweep)),
                ]
            scores = [row[k] or "" for k in ("before", "joint", "alone", "sweep", "frozen")]
            seeds = "" if joint is None else str(len(joint.values))
            lines.append([name, row["task"], seeds, *map(str, scores), *verdicts])
    return tabulate(lines, _HEADERS, tablefmt=style, disable_numparse=True)


def summary_of(runs: Mapping[str, Runs]) -> str:
    """How many tasks are as good as they must be, which are not, and where it was measured."""
    judged, missed = 0, []
    for name, found in runs.items():
        for row in rows_of(name, found):
            if None in (row["joint"], row["alone"], row["sweep"]):
                continue
            judged += 1
            for key, words in (("alone", "alone"), ("sweep", f"`{row['best']}`")):
                error, fine = compare(row["joint"], row[key])
                if not fine:
                    gap = row[key].mean - row["joint"].mean
                    missed.append(
                        f"{name}, {row['task']}: {gap:.3f} below {words}, one standard error is "
                        f"{error:.3f}"
                    )
    everything = [run for found in runs.values() for run in found]
    machines = sorted(
        {f"{m['processor']}, {m['threads']} thread" for r in everything if (m := r["machine"])}
    )
    hours = sum(run["seconds"] for run in everything) / 3600
    tasks = len({line.split(":")[0] for line in missed})
    lines = [
        f"{judged - tasks} of {judged} tasks of a joint run are within one standard error of the "
        "task alone and of the best of the sweep." + (" The others:" if missed else "")
    ]
    lines += [f"- {line}" for line in missed]
    made = f"{len(everything)} runs, {hours:.1f} hours, on {'; '.join(machines)}."
    if old := sum(map(outdated, everything)):
        made += (
            f" {old} of them chose their best epoch as the defaults did before (by `select: sum`, "
            "or the first of equal ones); the next call makes them again."
        )
    return "\n".join([*lines, "", made])
