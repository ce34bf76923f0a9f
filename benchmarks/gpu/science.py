"""The experiments that two processors are too slow for, as far as the time goes.

Each finished run leaves its record; the next pass, on another machine perhaps, goes on from the
records. What is at work when the time is over saves and stops, and begins anew where its checkpoint
has not travelled along.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import bundle, material
from benchmarks.gpu.context import Context, Skipped
from mtbert.studies.grid import Cell, cells, load_grid
from mtbert.studies.runner import run_cells

__all__ = ["one_model", "paper"]

_GRIDS = Path(__file__).parent / "grids"


def paper(context: Context) -> dict[str, Any]:
    """The paper's four experiments at their full length, its own form first, seed by seed."""
    grid = str(_GRIDS / "miniature.yaml") if context.miniature else "paper"
    return _study(context, "paper", _paper_first(_cells(context, grid)))


def one_model(context: Context) -> dict[str, Any]:
    """The shipped model of three tasks beside the three of one task each, five seeds."""
    grid = "miniature-one-model.yaml" if context.miniature else "one-model.yaml"
    return _study(context, "one-model", _cells(context, str(_GRIDS / grid)))


def _cells(context: Context, grid: str) -> list[Cell]:
    changes = [f"device={context.device}"]
    if context.miniature:
        scale = context.scale
        sizes = (scale.layers, scale.hidden, scale.heads, scale.inner, scale.vocabulary)
        changes += [
            f"encoder.path={material.random_encoder(context, 'timed', sizes)}",
            "data.cache=false",
        ]
    else:
        if context.data is None:
            raise Skipped("the course's data are not there; name their folder by --data")
        changes += [f"data.dir={context.data}", f"encoder.path={material.pretrained(context)}"]
    return cells(load_grid(grid), changes)


def _paper_first(found: Sequence[Cell]) -> list[Cell]:
    """All seeds of the first form, then those of the others; the order is stable otherwise."""
    forms = list(dict.fromkeys(cell.form for cell in found))
    return sorted(found, key=lambda cell: forms.index(cell.form))


def _study(context: Context, name: str, found: Sequence[Cell]) -> dict[str, Any]:
    records = bundle.records_folder(context.work, name)
    try:
        run_cells(found, context.work / "studies" / name, context.workers, export=records)
    finally:
        figures = _figures(found, records / "runs")
        context.note(figures)
    return figures


def _figures(found: Sequence[Cell], folder: Path) -> dict[str, Any]:
    """Which runs are finished, with their scores and speeds."""
    runs = list(dict.fromkeys(cell.run.name for cell in found))
    finished = {}
    for name in runs:
        file = folder / f"{name}.json"
        if file.is_file():
            summary = json.loads(file.read_text("utf-8"))["summary"]
            finished[name] = {
                key: summary[key]
                for key in ("dev", "best_epoch", "epochs", "steps", "tokens", "seconds",
                            "step_seconds", "tokens_per_second", "device", "precision")
            }  # fmt: skip
    return {"runs": len(runs), "finished": len(finished), "results": finished}
