"""The report of one run: what was done, how it learned, how good it is, where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtbert.config.settings import Settings
from mtbert.inference.details import SetDetails
from mtbert.methods.sampling.epoch import task_plans
from mtbert.reports.document import Block, Fold, Section, TableBlock
from mtbert.reports.learning import learning_section
from mtbert.reports.one_set import set_section, shown_range
from mtbert.reports.runs import FinishedRun
from mtbert.runs.scores import shown_score
from mtbert.studies.records import flat_settings

__all__ = ["run_sections"]

_INTERVALS = (
    "The 95 % intervals are percentiles of a bootstrap over the dev rows: how far the score "
    "depends on which rows are in the file. They do not cover other seeds. The best epoch was "
    "chosen on the same rows, so scores are slightly optimistic."
)


def run_sections(
    run: FinishedRun, settings: Settings, details: Mapping[str, SetDetails]
) -> list[Section]:
    """Everything about a run.

    Args:
        run: its files.
        settings: its config.yaml.
        details: of its dev sets, by their names in scores.
    """
    return [
        _overview(run, settings, details),
        learning_section(run.train, run.dev),
        *(set_section(name, found) for name, found in details.items()),
        _data(run.summary, settings),
        _settings(run.summary, settings),
        _environment(run.summary),
    ]


def _overview(run: FinishedRun, settings: Settings, details: Mapping[str, SetDetails]) -> Section:
    summary, training = run.summary, settings.training
    tasks = settings.trained_tasks
    rows = []
    for name, found in details.items():
        metric, score = next(iter(found.metrics.items()))
        kind = settings.tasks[found.task].kind.replace("_", " ")
        value = shown_score(score.value)
        rows.append([name, kind, metric, value, shown_range(score), f"{found.rows:,}"])
    headers = ["task", "kind", "metric", "dev", "95 % interval", "dev rows"]
    many = f"{len(tasks)} tasks share it" if len(tasks) > 1 else "one task"
    return Section(
        "",
        [
            f"Encoder {settings.encoder.public_path} ({settings.encoder.mode}); {many}. Epoch "
            f"{summary['best_epoch']} of {summary['epochs']} was kept, the best by "
            f"{training.select}. The run took {_duration(summary['seconds'])}.",
            TableBlock("", headers, rows, left=3),
            _INTERVALS,
        ],
    )


def _data(summary: Mapping[str, Any], settings: Settings) -> Section:
    """Rows of every set and what is wrong with them; what an epoch takes of each."""
    examples = summary.get("examples", {})
    rows = []
    for name, count in examples.items():
        task, _, part = name.partition("/")
        leaks = summary.get("leaks", {}).get(task, {}).get(part)
        cut = summary.get("truncated", {}).get(task) if part == "train" else None
        rows.append(
            [task, part, f"{count:,}", *(_count(summary, key, name) for key in _LEFT_OUT),
             "" if cut is None else f"{cut:,}", "" if leaks is None else f"{leaks:,}"]
        )  # fmt: skip
    headers = ["task", "set", "rows used", "skipped", "not labelled", "cut", "also in train"]
    blocks: list[Block] = [TableBlock("Rows of the files", headers, rows, left=2)]
    plan = _plan(settings, examples)
    if plan:
        headers = ["task", "train rows", "batches an epoch", "examples an epoch", "loss weight"]
        blocks.append(TableBlock("Plan of an epoch", headers, plan))
    return Section("Data", blocks)


_LEFT_OUT = ("skipped_rows", "unlabelled_rows")


def _count(summary: Mapping[str, Any], key: str, name: str) -> str:
    value = summary.get(key, {}).get(name)
    return "" if value is None else f"{value:,}"


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


def _settings(summary: Mapping[str, Any], settings: Settings) -> Section:
    every = flat_settings(settings)
    changed = flat_settings(settings, defaults=False)
    rows = [[key, _shown(value)] for key, value in changed.items()]
    others = [[key, _shown(value)] for key, value in every.items() if key not in changed]
    folds = [
        Fold(
            f"Settings that are not at their defaults ({len(rows)})",
            [TableBlock("", ["key", "value"], rows, left=2)],
        ),
        Fold(
            f"Settings at their defaults ({len(others)})",
            [TableBlock("", ["key", "value"], others, left=2)],
        ),
    ]
    return Section("Settings", folds)


def _environment(summary: Mapping[str, Any]) -> Section:
    rows = [
        ["whole run", _duration(summary["seconds"])],
        *(
            [name, _duration(summary[key])]
            for key, name in (
                ("step_seconds", "training steps"), ("encoding_seconds", "encoding once"),
                ("evaluation_seconds", "evaluation"),
            )
            if summary.get(key)
        ),
        *(
            [name, f"{summary[key]:,.0f}"]
            for key, name in (("tokens", "tokens"), ("tokens_per_second", "tokens per second"))
            if summary.get(key)
        ),
        *(
            [key, str(summary[key])]
            for key in ("seed", "device", "precision", "processes", "threads", "processor")
            if key in summary
        ),
        *([name, version] for name, version in summary["versions"].items()),
    ]  # fmt: skip
    return Section("Time and environment", [TableBlock("", ["", "value"], rows)])


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
        return text if len(text) <= 300 else f"{text[:299]}…"
    return str(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
