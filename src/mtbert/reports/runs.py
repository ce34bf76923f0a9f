"""Saved results → tables, figure, HTML, Markdown and CSV. Reads files only: no torch."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import read_lines, why_invalid
from mtbert.paper.tables import TABLES
from mtbert.reports.document import Figure, Section, Table, to_html, to_markdown
from mtbert.reports.figures import COLOURS, DASHES, curves
from mtbert.reports.study import changes_csv, results_csv, sections
from mtbert.reports.tables import machine, shown
from mtbert.runs.folder import read_summary
from mtbert.studies.folder import is_study
from mtbert.studies.results import is_export, load_results

__all__ = ["Run", "read_runs", "write_report"]

_INTRODUCTION = (
    "Scores on dev at the best epoch of each run. The epoch was chosen on the same dev data, so "
    "they are slightly optimistic."
)
_CURVES = "Main metric of each task over the epochs."


class _Evaluation(BaseModel):
    """What is read of a line of metrics.jsonl."""

    model_config = ConfigDict(strict=True)

    epoch: float
    dev: dict[str, Annotated[dict[str, float | None], Field(min_length=1)]]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run as its files tell it.

    Attributes:
        name: its folder, relative to the reported one.
        summary: summary.json.
        dev: the evaluations of metrics.jsonl, in order.
    """

    name: str
    summary: dict[str, Any]
    dev: list[dict[str, Any]]


def write_report(folder: Path) -> list[Path]:
    """Write tables and figures about the finished runs below a folder; returns the files.

    Of any runs report.html, report.md and results.csv; of a study also differences.csv and the
    figures of the Markdown; of exported results README.md in the place of the first two.

    Raises:
        UserError: there are none, or the extra `report` is not installed.
    """
    if is_study(folder) or is_export(folder):
        return _write_study(folder)
    runs = read_runs(folder)
    if not runs:
        raise UserError(f"{folder}: no finished run below it (no summary.json)")
    html, markdown, table = (folder / n for n in ("report.html", "report.md", "results.csv"))
    atomic.write_text(html, to_html("Results", _sections(runs), machine(runs[0].summary)))
    atomic.write_text(markdown, _markdown(runs))
    atomic.write_text(table, _csv(runs))
    return [html, markdown, table]


def _write_study(folder: Path) -> list[Path]:
    results = load_results(folder)
    if not results.records:
        raise UserError(f"{folder}: no run of this study is finished yet")
    found = sections(results)
    title = "The paper's experiments, reproduced"
    if not {table.experiment for table in TABLES} & results.experiments.keys():
        title = "Study"
    markdown, pictures = to_markdown(title, found)
    texts = {"results.csv": results_csv(results), "differences.csv": changes_csv(results)}
    if is_export(folder):
        texts = {"README.md": markdown} | texts
    else:
        footer = machine(next(iter(results.records.values())).summary)
        html = to_html(title, found, footer)
        texts = {"report.html": html, "report.md": markdown} | texts
    texts |= {f"figures/{name}": picture for name, picture in pictures.items()}
    for name, text in texts.items():
        atomic.write_text(folder / name, text)
    return [folder / name for name in texts]


def read_runs(folder: Path) -> list[Run]:
    """Every finished run at or below a folder, by name.

    Raises:
        UserError: a file of one is damaged.
    """
    runs = []
    for path in sorted(folder.rglob("summary.json")):
        try:
            summary = read_summary(path.parent)
            lines = read_lines(path.with_name("metrics.jsonl"))
            dev = [line for line in lines if line["kind"] == "dev"]
            for record in dev:
                _Evaluation.model_validate(record)
            name = str(path.parent.relative_to(folder))
            runs.append(Run(folder.name if name == "." else name, summary, dev))
        except ValidationError as error:
            raise UserError(f"{path.parent}: damaged run: {why_invalid(error)}") from None
        except (OSError, KeyError) as error:
            raise UserError(f"{path.parent}: damaged run: {error!r}") from None
    return runs


def _columns(runs: list[Run]) -> list[tuple[str, str]]:
    """Every (task, metric) of the runs, in order of appearance."""
    found = {(t, m): None for run in runs for t, ms in run.summary["dev"].items() for m in ms}
    return list(found)


def _rows(runs: list[Run]) -> tuple[list[str], list[list[str]]]:
    columns = _columns(runs)
    headers = ["run", *(f"{t} {m}" for t, m in columns), "overall", "mean", "epoch", "seconds"]
    rows = []
    for run in runs:
        scores = [run.summary["dev"].get(task, {}).get(metric, "") for task, metric in columns]
        rows.append(
            [
                run.name,
                *(s if isinstance(s, str) else shown(s) for s in scores),
                shown(run.summary["overall"]),
                shown(run.summary["mean"]),
                str(run.summary["best_epoch"]),
                f"{run.summary['seconds']:.0f}",
            ]
        )
    return headers, rows


def _markdown(runs: list[Run]) -> str:
    headers, rows = _rows(runs)
    table = tabulate(rows, headers, "github", disable_numparse=True)
    return f"# Results\n\nScores on dev, at the best epoch of each run.\n\n{table}\n"


def _csv(runs: list[Run]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["run", "seed", "task", "metric", "value", "best_epoch", "seconds"])
    for run in runs:
        for task, metrics in run.summary["dev"].items():
            for metric, value in metrics.items():
                facts = (run.summary[key] for key in ("best_epoch", "seconds"))
                writer.writerow([run.name, run.summary["seed"], task, metric, value, *facts])
    return stream.getvalue()


def _sections(runs: list[Run]) -> list[Section]:
    headers, rows = _rows(runs)
    return [
        Section("", [_INTRODUCTION, Table("", headers, rows)]),
        Section("Learning curves", [Figure("learning-curves", _CURVES, _learning_curves(runs))]),
    ]


def _learning_curves(runs: list[Run]) -> str:
    """The main metric of each task over the epochs, a panel a task, as SVG."""
    tasks = list(dict.fromkeys(task for run in runs for task in run.summary["dev"]))
    panels = []
    for task in tasks:
        lines, metric = [], ""
        for number, run in enumerate(runs):
            points = [
                (record["epoch"], *next(iter(record["dev"][task].items())))
                for record in run.dev
                if task in record["dev"]
            ]
            if not points:
                continue
            epochs, metrics, values = zip(*points, strict=True)
            metric = metrics[0]
            style = {
                "color": COLOURS[number % len(COLOURS)],
                "linestyle": DASHES[number % len(DASHES)],
            }
            lines.append((run.name, epochs, [float("nan") if v is None else v for v in values],
                          style))  # fmt: skip
        panels.append((task, metric, lines))
    return curves(panels, "epoch")
