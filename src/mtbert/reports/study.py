"""Sections that every study's report has, and its results as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from mtbert.reports.document import Bullets, Section, TableBlock
from mtbert.reports.tables import machine
from mtbert.studies.results import Results
from mtbert.studies.statistics import mean_deviation

__all__ = [
    "budget",
    "csv_text",
    "introduction",
    "results_csv",
    "runs_section",
    "score_cell",
]

_SCORES = (
    "Scores are dev scores at each run's best epoch. The epoch was chosen on the same dev data, so "
    "they are slightly optimistic. A ± B: mean and standard deviation over seeds."
)
_CONSTANT = (
    "†: at least one of these runs predicts the same answer for every dev row. Its score is the "
    "share of one class: on its budget it has learned nothing about this task."
)


def introduction(
    results: Results,
    form_names: Mapping[str, str] | None = None,
    *,
    on_scores: str = "",
    on_constant: str = "",
    remarks: Sequence[str] = (),
) -> Section:
    """What is finished and on what budget, how to read the scores, and remarks.

    Args:
        results: of the study.
        form_names: names of forms for the text; by default those of the grid.
        on_scores: more about how to read scores.
        on_constant: more about runs that predict one answer for all rows.
        remarks: items of a list at the end.
    """
    total = len({place.run for place in results.places})
    missing = results.missing
    names = {form: (form_names or {}).get(form, form) for form in results.forms}
    budgets = " ".join(
        f"{name[:1].upper()}{name[1:]}: {budget(results, form)}." for form, name in names.items()
    )
    blocks: list[str | Bullets | TableBlock] = [
        f"{total - len(missing)} of {total} runs are finished. {budgets}"
    ]
    if missing:
        listed = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if missing[8:] else "")
        blocks.append(f"Missing: {listed}. Their cells are marked or left out.")
    blocks.append(f"{_SCORES} {on_scores}".rstrip())
    if any(rows.constant for r in results.records.values() for rows in r.predictions.values()):
        blocks.append(f"{_CONSTANT} {on_constant}".rstrip())
    if remarks:
        blocks.append(Bullets(remarks))
    return Section("", blocks)


def runs_section(results: Results) -> Section:
    """Every finished run, and the machines they ran on."""
    rows = []
    for name, record in results.records.items():
        scores = ", ".join(
            f"{t} {s:.4f}" if (s := record.score(t)) is not None else f"{t} undefined"
            for t in record.summary["dev"]
        )
        summary = record.summary
        rows.append(
            [name, scores, str(summary["best_epoch"]), str(summary["steps"]),
             f"{record.seconds_per_epoch:.1f}", f"{summary['tokens_per_second']:,.0f}"]
        )  # fmt: skip
    headers = ["run", "dev", "best epoch", "steps", "seconds per epoch", "tokens/s"]
    machines = dict.fromkeys(machine(record.summary) for record in results.records.values())
    return Section(
        "Runs",
        [
            "Seconds per epoch cover the training steps, not evaluation: on a CPU the processor "
            "time per thread, which other processes hardly affect; elsewhere wall time.",
            Bullets(list(machines)),
            TableBlock("", headers, rows, left=2),
        ],
    )


def results_csv(results: Results) -> str:
    """A row for each place, task and metric of the finished runs."""
    rows = []
    for place in results.places:
        record = results.records.get(place.run)
        if record is None:
            continue
        facts = (record.summary["best_epoch"], record.seconds_per_epoch, record.summary["seconds"])
        rows += [
            [place.experiment, place.form, place.variation, place.seed, place.run, task, metric,
             value, *facts]
            for task, metrics in record.summary["dev"].items()
            for metric, value in metrics.items()
        ]  # fmt: skip
    return csv_text(
        ["experiment", "form", "variation", "seed", "run", "task", "metric", "value", "best_epoch",
         "seconds_per_epoch", "seconds"],
        rows,
    )  # fmt: skip


def score_cell(results: Results, experiment: str, form: str, variation: str, task: str) -> str:
    """Mean ± standard deviation over seeds, or why there is none."""
    group = results.group(experiment, form, variation)
    if group is None or task not in group.tasks:
        return "missing" if results.planned(experiment, form, variation) else ""
    values = group.scores(task)
    if not values:
        return "undefined"
    mean, deviation = mean_deviation(values)
    text = f"{mean:.3f}" if math.isnan(deviation) else f"{mean:.3f} ± {deviation:.3f}"
    text += " †" if group.has_constant(task) else ""
    planned = results.planned(experiment, form, variation)
    return text if len(values) == planned else f"{text} ({len(values)} of {planned} seeds)"


def budget(results: Results, form: str, experiment: str | None = None) -> str:
    """Seeds, epochs and step limits of a form's finished runs, in words."""
    places = [
        p for p in results.places
        if p.form == form and p.run in results.records and experiment in (None, p.experiment)
    ]  # fmt: skip
    if not places:
        return "no run is finished"
    seeds = sorted({p.seed for p in places})
    epochs = sorted({int(results.records[p.run].summary["epochs"]) for p in places})
    text = (
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; "
        f"{' or '.join(map(str, epochs))} epoch{'' if epochs == [1] else 's'}"
    )
    caps: dict[int, list[str]] = {}
    for p in places:
        cap = results.records[p.run].settings.get("training.steps_per_epoch")
        if cap is not None and p.variation not in caps.setdefault(int(cap), []):
            caps[int(cap)].append(p.variation)
    limits = [f"at most {cap} steps an epoch ({', '.join(names)})" for cap, names in caps.items()]
    return "; ".join([text, *limits])


def csv_text(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)
    return stream.getvalue()
