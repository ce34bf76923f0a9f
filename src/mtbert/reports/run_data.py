"""The data of a run: rows of every set, lengths, classes, and what an epoch takes of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mtbert.config.settings import Settings
from mtbert.data.profile import SetProfile
from mtbert.errors import UserError
from mtbert.io.bounded import why_invalid
from mtbert.methods.sampling.epoch import task_plans
from mtbert.reports.document import Block, Fold, Section, TableBlock

__all__ = ["data_section", "read_profiles"]

_FEW = 12
"""Classes of a task that are shown unfolded."""

_PROFILES = TypeAdapter(dict[str, SetProfile])


def read_profiles(summary: Mapping[str, Any]) -> dict[str, SetProfile]:
    """What a summary says of each set, by `task/set`; nothing in runs of earlier versions.

    Raises:
        UserError: it is damaged.
    """
    try:
        return _PROFILES.validate_python(summary.get("data", {}))
    except ValidationError as error:
        raise UserError(f"summary.json: data: damaged: {why_invalid(error)}") from None


def data_section(summary: Mapping[str, Any], settings: Settings) -> Section:
    """Everything about the data.

    Raises:
        UserError: the summary is damaged.
    """
    profiles = read_profiles(summary)
    blocks: list[Block] = [_rows(summary)]
    if profiles:
        blocks.append(_lengths(profiles))
    for name, task in settings.tasks.items():
        sets = {
            key.partition("/")[2]: found
            for key, found in profiles.items()
            if key.partition("/")[0] == name
        }
        if sets and task.class_names:
            blocks.append(_classes(name, sets))
        elif sets:
            blocks.append(_values(name, sets))
    plan = _plan(settings, summary.get("examples", {}))
    if plan:
        headers = ["task", "train rows", "batches an epoch", "examples an epoch", "loss weight"]
        blocks.append(TableBlock("Plan of an epoch", headers, plan))
    return Section("Data", blocks)


def _rows(summary: Mapping[str, Any]) -> TableBlock:
    """Rows that are used, and those that are not or should not be."""
    rows = []
    for name, count in summary.get("examples", {}).items():
        task, _, part = name.partition("/")
        leaks = summary.get("leaks", {}).get(task, {}).get(part)
        counts = [count, *(summary.get(key, {}).get(name) for key in _LEFT_OUT), leaks]
        rows.append([task, part, *("" if n is None else f"{n:,}" for n in counts)])
    headers = ["task", "set", "rows", "bad, skipped", "not labelled", "also in train"]
    return TableBlock("Rows of the files", headers, rows, left=2)


_LEFT_OUT = ("skipped_rows", "unlabelled_rows")


def _lengths(profiles: Mapping[str, SetProfile]) -> TableBlock:
    rows = [
        [*name.split("/", 1), f"{t.mean:.1f}", f"{t.median:g}", f"{t.p95:.0f}", f"{t.longest:,}",
         f"{found.cut:,}"]
        for name, found in profiles.items()
        for t in (found.tokens,)
    ]  # fmt: skip
    headers = ["task", "set", "mean", "median", "95 % have at most", "longest", "rows cut"]
    return TableBlock("Tokens of an example", headers, rows, left=2)


def _classes(name: str, sets: Mapping[str, SetProfile]) -> Block:
    """Rows of each class in each set, with their share of the training rows."""
    names = list(dict.fromkeys(label for found in sets.values() for label in found.classes))
    first = next(iter(sets.values()))
    total = sum(first.classes.values()) or 1
    rows = [
        [label, f"{first.classes.get(label, 0) / total:.1%}",
         *(f"{found.classes.get(label, 0):,}" for found in sets.values())]
        for label in names
    ]  # fmt: skip
    if any(found.unlabelled for found in sets.values()):
        rows.append(["(none)", "", *(f"{found.unlabelled:,}" for found in sets.values())])
    headers = ["class", f"share of {next(iter(sets))}", *sets]
    caption = f"{name}: rows of each class"
    table = TableBlock(caption, headers, rows)
    return table if len(names) <= _FEW else Fold(f"{caption} ({len(names)})", [table])


def _values(name: str, sets: Mapping[str, SetProfile]) -> TableBlock:
    rows = [
        [part, *(f"{v:.5g}" for v in (s.lowest, s.mean, s.deviation, s.highest))]
        for part, found in sets.items()
        if (s := found.values) is not None
    ]
    headers = ["set", "lowest", "mean", "standard deviation", "highest"]
    return TableBlock(f"{name}: values", headers, rows)


def _plan(settings: Settings, examples: Mapping[str, int]) -> list[list[str]]:
    sizes = {n: examples[f"{n}/train"] for n in settings.trained_tasks if f"{n}/train" in examples}
    if len(sizes) < len(settings.trained_tasks):
        return []
    spec = settings.model_copy(
        update={"training": settings.training.model_copy(update={"group_by_length": False})}
    ).epoch_spec(sizes)
    plans = task_plans(settings.training.batching, spec, settings.seed)
    return [
        [name, f"{plan.rows:,}", f"{plan.batches:,}", f"{plan.examples:,}",
         f"{settings.tasks[name].loss_weight:g}"]
        for name, plan in plans.items()
    ]  # fmt: skip
