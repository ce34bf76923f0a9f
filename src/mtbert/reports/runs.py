"""Finished runs below a folder → a table and learning curves; Markdown and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

from mtbert.errors import UserError
from mtbert.io.bounded import read_lines, why_invalid
from mtbert.reports.document import ChartsBlock, Section, TableBlock
from mtbert.reports.learning import score_chart
from mtbert.runs.folder import read_summary
from mtbert.runs.scores import shown_score

__all__ = ["FinishedRun", "read_runs", "runs_csv", "runs_markdown", "runs_sections"]

_INTRODUCTION = (
    "Dev scores at the best epoch of each run. The epoch was chosen on the same dev data, so they "
    "are slightly optimistic."
)
_CURVES = "The main metric of each task by epoch."


class _Evaluation(BaseModel):
    """What a report reads of an evaluation in metrics.jsonl."""

    model_config = ConfigDict(strict=True)

    epoch: float
    step: int = 0
    loss: dict[str, float | None] = {}
    dev: dict[str, Annotated[dict[str, float | None], Field(min_length=1)]]


class _Step(BaseModel):
    """What a report reads of a logged step."""

    model_config = ConfigDict(strict=True)

    step: int
    loss: dict[str, float | None] = {}
    task_gradient_norm: dict[str, float | None] = {}
    gradient_cosine: dict[str, float | None] = {}


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run, as read from its files.

    Attributes:
        name: its folder, relative to the reported one.
        summary: summary.json.
        dev: the evaluations of metrics.jsonl, in order.
        train: its records of steps.
        folder: where its files are.
    """

    name: str
    summary: dict[str, Any]
    dev: list[dict[str, Any]]
    train: list[dict[str, Any]]
    folder: Path


def read_runs(folder: Path) -> list[FinishedRun]:
    """The finished runs at or below a folder, sorted by name.

    Raises:
        UserError: a file of one is damaged.
    """
    runs = []
    for path in sorted(folder.rglob("summary.json")):
        try:
            summary = read_summary(path.parent)
            lines = list(read_lines(path.with_name("metrics.jsonl")))
            dev = [line for line in lines if line["kind"] == "dev"]
            train = [line for line in lines if line["kind"] == "train"]
            for record in dev:
                _Evaluation.model_validate(record)
            for record in train:
                _Step.model_validate(record)
            name = str(path.parent.relative_to(folder))
            shown = folder.resolve().name if name == "." else name
            runs.append(FinishedRun(shown, summary, dev, train, path.parent))
        except ValidationError as error:
            raise UserError(f"{path.parent}: damaged run: {why_invalid(error)}") from None
        except (OSError, KeyError) as error:
            raise UserError(f"{path.parent}: damaged run: {error!r}") from None
    return runs


def _columns(runs: list[FinishedRun]) -> list[tuple[str, str]]:
    """Every (task, metric) of the runs, in order of appearance."""
    found = {(t, m): None for run in runs for t, ms in run.summary["dev"].items() for m in ms}
    return list(found)


def _rows(runs: list[FinishedRun]) -> tuple[list[str], list[list[str]]]:
    columns = _columns(runs)
    headers = ["run", *(f"{t} {m}" for t, m in columns), "overall", "mean", "epoch", "seconds"]
    rows = []
    for run in runs:
        scores = [run.summary["dev"].get(task, {}).get(metric, "") for task, metric in columns]
        rows.append(
            [
                run.name,
                *(s if isinstance(s, str) else shown_score(s) for s in scores),
                shown_score(run.summary["overall"]),
                shown_score(run.summary["mean"]),
                str(run.summary["best_epoch"]),
                f"{run.summary['seconds']:.0f}",
            ]
        )
    return headers, rows


def runs_markdown(runs: list[FinishedRun]) -> str:
    """The table alone."""
    headers, rows = _rows(runs)
    table = tabulate(rows, headers, "github", disable_numparse=True)
    return f"# Results\n\nScores on dev, at the best epoch of each run.\n\n{table}\n"


def runs_csv(runs: list[FinishedRun]) -> str:
    """A line for each run, task and metric."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["run", "seed", "task", "metric", "value", "best_epoch", "seconds"])
    for run in runs:
        for task, metrics in run.summary["dev"].items():
            for metric, value in metrics.items():
                facts = (run.summary[key] for key in ("best_epoch", "seconds"))
                writer.writerow([run.name, run.summary["seed"], task, metric, value, *facts])
    return stream.getvalue()


def runs_sections(runs: list[FinishedRun]) -> list[Section]:
    """The table, and the learning curves."""
    headers, rows = _rows(runs)
    tasks = list(dict.fromkeys(task for run in runs for task in run.summary["dev"]))
    by_name = {run.name: run.dev for run in runs}
    return [
        Section("", [_INTRODUCTION, TableBlock("", headers, rows)]),
        Section(
            "Learning curves", [ChartsBlock(_CURVES, [score_chart(t, by_name) for t in tasks])]
        ),
    ]
