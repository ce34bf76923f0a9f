"""`mtbert experiment`: plan or run a grid of runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import add_engine, add_overrides, existing_or_new, positive

if TYPE_CHECKING:
    from mtbert.studies.grid import Cell

__all__ = ["HELP", "add_arguments", "plan_table", "run"]

HELP = "a grid of runs, from a file or by name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", help="a grid's YAML file, or the name of a shipped one")
    add_overrides(parser)
    parser.add_argument("--output", type=existing_or_new, help="study folder (default: runs/NAME)")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="runs at once, threads shared"
    )
    add_engine(parser)
    parser.add_argument(
        "--export", type=existing_or_new, metavar="FOLDER",
        help="write each finished run's result as JSON to FOLDER/runs; what is there is not run",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="list the runs and stop")


def run(options: argparse.Namespace) -> None:
    """Run what is not finished, or print the plan."""
    from mtbert.studies.grid import cells, load_grid

    found = cells(load_grid(options.experiment), options.override)
    output = options.output or Path("runs") / Path(options.experiment).stem
    if options.dry_run:
        print(plan_table(found, output, options.export))
        return
    from mtbert.studies.engines.table import ENGINES
    from mtbert.studies.runner import run_cells

    with ENGINES[options.engine](options.workers) as engine:
        run_cells(
            found, output, options.workers, engine.launch, options.export, threads=engine.threads
        )
    print(f"study: {output}")


def plan_table(cells: Sequence[Cell], folder: Path, export: Path | None = None) -> str:
    """The runs of a grid in order, what each is for, and the state it is in."""
    from tabulate import tabulate

    from mtbert.studies.folder import Study

    study = Study(folder, export)
    uses: dict[str, list[str]] = {}
    for cell in cells:
        uses.setdefault(cell.run.key, []).append(cell.experiment.name)
    runs = {cell.run.key: cell.run for cell in cells}
    total = sum(run.work for run in runs.values())
    rows = [
        [
            run.label,
            run.settings.seed,
            ", ".join(dict.fromkeys(uses[key])),
            run.settings.training.epochs,
            f"{run.steps:,}",
            f"{run.work / total:.1%}",
            study.state(run).status,
        ]
        for key, run in runs.items()
    ]
    headers = ["run", "seed", "experiments", "epochs", "steps", "work", "state"]
    align = ("left", "right", "left", "right", "right", "right", "left")
    table = tabulate(rows, headers, disable_numparse=True, colalign=align)
    return (
        f"{table}\n\n{len(runs)} runs for {len(cells)} places in tables, "
        f"{total:,.0f} characters to encode (a training step counts three passes)"
    )
