"""The report of one run: what was done, how it learned, how good it is, where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtbert.config.settings import Settings
from mtbert.inference.details import SetDetails
from mtbert.reports.document import Fold, Section, TableBlock
from mtbert.reports.learning import learning_section
from mtbert.reports.one_set import set_section, shown_range
from mtbert.reports.run_data import data_section
from mtbert.reports.runs import FinishedRun
from mtbert.reports.settings import shown_setting
from mtbert.runs.forgetting import forgetting_rows
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
        *_forgetting(run.summary),
        *(set_section(name, found) for name, found in details.items()),
        data_section(run.summary, settings),
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
        rows.append([name, metric, value, shown_range(score), f"{found.rows:,}", kind])
    headers = ["task", "metric", "dev", "95 % interval", "dev rows", "kind"]
    many = f"{len(tasks)} tasks share it" if len(tasks) > 1 else "one task"
    return Section(
        "",
        [
            f"Encoder {settings.encoder.public_path} ({settings.encoder.mode}); {many}. Epoch "
            f"{summary['best_epoch']} of {summary['epochs']} was kept, the best by "
            f"{training.select}. The run took {_duration(summary['seconds'])}.",
            *_own_parts(summary, settings),
            *_faults(summary),
            TableBlock("", headers, rows, left=2),
            _INTERVALS,
        ],
    )


def _own_parts(summary: Mapping[str, Any], settings: Settings) -> list[str]:
    """What the tasks have below their heads, each for itself."""
    own = (summary.get("parameters") or {}).get("own")
    if not own:
        return []
    return [
        f"Sharing {settings.encoder.sharing}: {own:,} parameters below the heads are one task's "
        f"own, {summary['times_encoder']:.2f} times the encoder in all."
    ]


def _forgetting(summary: Mapping[str, Any]) -> list[Section]:
    """The scores after each stage, of a run that trained its tasks one after the other."""
    found = summary.get("forgetting")
    if not found:
        return []
    headers, rows = forgetting_rows(found)
    caption = "The main metric of each task on dev at the end of each task's training."
    transfer = found["backward_transfer"]
    told = [] if transfer is None else [
        f"Backward transfer {transfer:+.4f}: the mean change of the earlier tasks' scores since "
        "the end of their own training."
    ]  # fmt: skip
    return [Section("Forgetting", [TableBlock(caption, headers, rows), *told])]


def _faults(summary: Mapping[str, Any]) -> list[str]:
    """What went wrong, as training said it."""
    told = [
        f"Task {name} has learned nothing: all its dev rows have the same answer."
        for name in summary.get("learned_nothing") or ()
    ]
    dominant = summary.get("dominant_gradient")
    if dominant:
        told.append(
            f"The gradient of task {dominant} was several times as long as the others' and drowned "
            "them; a smaller `loss_weight`, or `target: standardised` of a regression, helps."
        )
    return told


def _settings(summary: Mapping[str, Any], settings: Settings) -> Section:
    every = flat_settings(settings)
    changed = flat_settings(settings, defaults=False)
    rows = [[key, shown_setting(value)] for key, value in changed.items()]
    others = [[key, shown_setting(value)] for key, value in every.items() if key not in changed]
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


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
