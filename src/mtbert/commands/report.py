"""`mtbert report`: tables, figures and HTML of the finished runs below a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import existing_or_new
from mtbert.errors import UserError

if TYPE_CHECKING:
    from mtbert.paper.measured import Measured
    from mtbert.reports.document import Section
    from mtbert.studies.results import Results

__all__ = ["HELP", "add_arguments", "run", "study_sections", "write_report"]

HELP = "tables, figures and HTML of the runs below a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=existing_or_new, metavar="DIR")
    parser.add_argument(
        "--export", type=existing_or_new, metavar="FOLDER",
        help="of a study: write its results as JSON to FOLDER/runs, and the Markdown beside it",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Write the report; print the names of its files."""
    folder = options.folder
    if options.export is not None:
        from mtbert.studies.results import export

        export(folder, options.export)
        folder = options.export
    for path in write_report(folder):
        print(path)


def write_report(folder: Path) -> list[Path]:
    """Write tables and figures about the finished runs below a folder; returns the files.

    Of any runs report.html, report.md and results.csv; of a study with the paper's experiments
    also differences.csv and the figures of the Markdown; of exported results README.md in the
    place of the first two; of a search report.html, trials.csv and its pictures.

    Raises:
        UserError: there are none, or the extra `report` is not installed.
    """
    from mtbert.io import atomic
    from mtbert.studies.folder import is_study
    from mtbert.studies.results import is_export
    from mtbert.studies.search.plan import is_search

    if is_search(folder):
        texts = _search_report(folder)
    elif is_study(folder) or is_export(folder):
        texts = _study_report(folder)
    else:
        texts = _runs_report(folder)
    for name, text in texts.items():
        atomic.write_text(folder / name, text)
    return [folder / name for name in texts]


def study_sections(results: Results, measured: Measured) -> list[Section]:
    """A study's report: what the paper says is in it only if the study is about the paper."""
    from mtbert.paper import sections as paper
    from mtbert.paper.figures import figure_sections
    from mtbert.paper.tables import FORMS
    from mtbert.reports.grid import ON_INTERVALS, experiment_section, shared_settings
    from mtbert.reports.study import introduction, runs_section

    own = [name for name in results.experiments if name not in measured.experiments]
    sections = [experiment_section(results, name) for name in own]
    if not measured.tables:
        first = introduction(results, on_scores=ON_INTERVALS)
        return [first, *sections, shared_settings(results), runs_section(results)]
    return [
        introduction(
            results, FORMS,
            on_scores=paper.ON_SCORES, on_constant=paper.ON_CONSTANT,
            remarks=paper.departures(measured),
        ),
        *paper.paper_sections(measured),
        *sections,
        *figure_sections(results),
        runs_section(results),
    ]  # fmt: skip


def _runs_report(folder: Path) -> dict[str, str]:
    """Texts by the names of their files."""
    from mtbert.config.load import load_config
    from mtbert.inference.evaluation_file import read_details
    from mtbert.io.bounded import is_file
    from mtbert.reports.document import to_html
    from mtbert.reports.one_run import run_sections
    from mtbert.reports.runs import read_runs, runs_csv, runs_markdown, runs_sections
    from mtbert.reports.tables import machine

    runs = read_runs(folder)
    if not runs:
        raise UserError(f"{folder}: no finished run below it (no summary.json)")
    title, sections = "Results", runs_sections(runs)
    if len(runs) == 1 and is_file(runs[0].folder / "config.yaml"):
        run = runs[0]
        settings = load_config(str(run.folder / "config.yaml"))
        details = read_details(run.folder, settings)
        title, sections = run.name, run_sections(run, settings, details)
    return {
        "report.html": to_html(title, sections, machine(runs[0].summary)),
        "report.md": runs_markdown(runs),
        "results.csv": runs_csv(runs),
    }


def _search_report(folder: Path) -> dict[str, str]:
    """Texts by the names of their files."""
    from mtbert.reports.document import to_html
    from mtbert.reports.pictures import picture
    from mtbert.reports.search import search_charts, search_sections, trials_csv
    from mtbert.studies.search import plan

    plan.require_optuna()
    from mtbert.studies.search.importance import importances
    from mtbert.studies.search.journal import read_journal
    from mtbert.studies.search.trials import trials_of

    score, journal = plan.searched_score(folder), read_journal(folder)
    trials = trials_of(journal)
    if not any(trial.score is not None for trial in trials):
        raise UserError(f"{folder}: no trial of this search is finished yet")
    less, shares = plan.lower_is_better(score), importances(journal)
    sections = search_sections(trials, score, shares, lower_is_better=less)
    charts = search_charts(trials, score, shares, lower_is_better=less)
    return {
        "report.html": to_html(f"Search of {len(trials)} trials", sections, str(folder)),
        "trials.csv": trials_csv(trials),
        **{f"{name}.svg": picture(chart) for name, chart in charts.items()},
    }


def _study_report(folder: Path) -> dict[str, str]:
    """Texts and pictures by the names of their files."""
    from mtbert.paper.measured import measure
    from mtbert.paper.sections import TITLE, changes_csv
    from mtbert.reports.document import to_html, to_markdown
    from mtbert.reports.study import results_csv
    from mtbert.reports.tables import machine
    from mtbert.studies.results import is_export, load_results

    results = load_results(folder)
    if not results.records:
        raise UserError(f"{folder}: no run of this study is finished yet")
    measured = measure(results)
    title = TITLE if measured.tables else "Study"
    found = study_sections(results, measured)
    markdown, pictures = to_markdown(title, found)
    if is_export(folder):
        texts = {"README.md": markdown}
    else:
        footer = machine(next(iter(results.records.values())).summary)
        texts = {"report.html": to_html(title, found, footer), "report.md": markdown}
    texts["results.csv"] = results_csv(results)
    if measured.tables:
        texts["differences.csv"] = changes_csv(measured)
    return texts | {f"figures/{name}": picture for name, picture in pictures.items()}
