"""Saved results → tables, figure, HTML, Markdown and CSV. Reads files only: no torch."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

from mtbert import atomic
from mtbert.errors import UserError
from mtbert.experiments.tables import shown
from mtbert.reading import why_invalid
from mtbert.training.run_folder import read_summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Run", "read_runs", "write_report"]

# Okabe and Ito's colours, told apart by colour-blind readers; dash patterns tell them apart again.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", "--", "-.", ":")


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
    """Write report.html, report.md and results.csv about the finished runs below a folder.

    Raises:
        UserError: there are none, or the extra `report` is not installed.
    """
    runs = read_runs(folder)
    if not runs:
        raise UserError(f"{folder}: no finished run below it (no summary.json)")
    html, markdown, table = (folder / n for n in ("report.html", "report.md", "results.csv"))
    atomic.write_text(html, _html(runs))
    atomic.write_text(markdown, _markdown(runs))
    atomic.write_text(table, _csv(runs))
    return [html, markdown, table]


def read_runs(folder: Path) -> list[Run]:
    """Every finished run at or below a folder, by name.

    Raises:
        UserError: a file of one is damaged.
    """
    runs = []
    for path in sorted(folder.rglob("summary.json")):
        try:
            summary = read_summary(path.parent)
            lines = path.with_name("metrics.jsonl").read_bytes().splitlines()
            dev = [r for r in map(json.loads, lines) if r["kind"] == "dev"]
            for record in dev:
                _Evaluation.model_validate(record)
            name = str(path.parent.relative_to(folder))
            runs.append(Run(folder.name if name == "." else name, summary, dev))
        except ValidationError as error:
            raise UserError(f"{path.parent}: damaged run: {why_invalid(error)}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{path.parent}: damaged run: {error}") from None
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


def _html(runs: list[Run]) -> str:
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError:
        raise UserError(
            "report: needs jinja2 and matplotlib; run: pip install 'mtbert[report]'"
        ) from None
    environment = Environment(
        loader=PackageLoader("mtbert.experiments", "templates"), autoescape=True
    )
    headers, rows = _rows(runs)
    first = runs[0].summary
    return environment.get_template("report.html").render(
        headers=headers, rows=rows, figure=_learning_curves(runs), machine=first
    )


def _learning_curves(runs: list[Run]) -> str:
    """The main metric of each task over the epochs, a panel a task, as SVG.

    Text and axes take the page's colour, so one picture serves dark and light.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("report: needs matplotlib; run: pip install 'mtbert[report]'") from None
    tasks = list(dict.fromkeys(task for run in runs for task in run.summary["dev"]))
    marker = "#010203"  # replaced by the page's colour below
    style: dict[Any, Any] = {"svg.fonttype": "none", "font.size": 11, "svg.hashsalt": "mtbert"}
    style["text.parse_math"] = False  # a dollar sign in a name is one
    style |= dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], marker
    )
    with mpl.rc_context(style):
        figure = Figure(figsize=(1.2 + 3.4 * len(tasks), 3.6 + 0.22 * len(runs)))
        axes = figure.subplots(1, len(tasks), squeeze=False)[0]
        for panel, task in zip(axes, tasks, strict=True):
            _draw_panel(panel, task, runs)
        handles = {h.get_label(): h for panel in axes for h in panel.get_lines()}
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", frameon=False, ncols=1
        )
        figure.set_layout_engine("constrained")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].replace(marker, "currentColor")


def _draw_panel(panel: Axes, task: str, runs: list[Run]) -> None:
    from matplotlib.ticker import MaxNLocator

    metric = ""
    for number, run in enumerate(runs):
        points = [
            (record["epoch"], next(iter(record["dev"][task].items())))
            for record in run.dev
            if task in record["dev"]
        ]
        if not points:
            continue
        metric = points[0][1][0]
        panel.plot(
            [epoch for epoch, _ in points],
            [value if value is not None else float("nan") for _, (_, value) in points],
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_DASHES[number % len(_DASHES)],
            marker="o",
            markersize=3.5,
            label=run.name,
        )
    panel.set_title(task)
    panel.set_xlabel("epoch")
    panel.set_ylabel(metric)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(alpha=0.25)
