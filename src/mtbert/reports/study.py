"""A study's results → sections of text, tables and figures, and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from mtbert.inference.metrics import overall_score
from mtbert.paper.figures import study_figures
from mtbert.paper.findings import change_interval, judge, shown_interval
from mtbert.paper.tables import (
    FINDINGS,
    FORM_NOTES,
    FORMS,
    LEADERBOARD,
    TABLES,
    TASKS,
    PaperTable,
    contradictions,
)
from mtbert.reports.document import Bullets, Section, Table
from mtbert.reports.tables import machine
from mtbert.studies.results import Results
from mtbert.studies.statistics import mean_deviation

__all__ = ["changes_csv", "results_csv", "sections"]

_INTERVALS = (
    "Scores are those of the best epoch on dev, chosen on the same dev data, so they are slightly "
    "optimistic. A ± B: mean and standard deviation over seeds. [low, high]: 95 % interval of a "
    "difference, paired over seeds (Student's t) and over dev rows (2,000 bootstrap samples); the "
    "two distances are added in squares. With one seed it knows of the dev rows alone."
)
_CONSTANT = (
    "†: one run of these or more gives every dev row the same answer. Its score is the share of "
    "one class: within its budget it has learned nothing of this task. A difference of two such "
    "scores has no interval and decides nothing."
)
_VERDICTS = (
    "A finding holds where the intervals of all its changes lie on its side, does not hold where "
    "one lies on the other side, and else cannot be told. Where one of several changes is enough "
    "to decide, its interval is widened (Bonferroni). In brackets: how many of its changes lie on "
    "its side by their means alone, of those with an interval."
)


def sections(results: Results) -> list[Section]:
    """The whole report."""
    paper = [table for table in TABLES if table.experiment in results.experiments]
    others = [n for n in results.experiments if n not in {t.experiment for t in TABLES}]
    found = [Section("", _introduction(results))]
    if paper:
        found.append(_findings(results))
        found += [_paper_table(results, table) for table in paper]
        found.append(_contradictions())
        found.append(_leaderboard(results))
    found += [_plain_table(results, name) for name in others]
    found += study_figures(results)
    found.append(_runs(results))
    return found


def results_csv(results: Results) -> str:
    """A line for each place, task and metric of the finished runs."""
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
    return _csv(
        ["experiment", "form", "variation", "seed", "run", "task", "metric", "value", "best_epoch",
         "seconds_per_epoch", "seconds"],
        rows,
    )  # fmt: skip


def changes_csv(results: Results) -> str:
    """A line for each change of the paper's tables in each form."""
    rows = []
    for table in TABLES:
        for change in table.changes:
            for form in results.forms:
                found = change_interval(results, form, change)
                if found is not None:
                    rows.append(
                        [table.number, form, change.task, change.before, change.after,
                         _paper_change(table, change.before, change.after, change.task),
                         found.mean, found.low, found.high, found.by_seeds, found.by_rows,
                         found.seeds]
                    )  # fmt: skip
    return _csv(
        ["table", "form", "task", "before", "after", "paper", "mean", "low", "high",
         "half_width_seeds", "half_width_rows", "seeds"],
        rows,
    )  # fmt: skip


def _introduction(results: Results) -> list[str | Bullets | Table]:
    total = len({place.run for place in results.places})
    missing = results.missing
    blocks: list[str | Bullets | Table] = [
        f"{total - len(missing)} of {total} runs are finished. "
        + (" ".join(f"{_form(f).capitalize()}: {_budget(results, f)}." for f in results.forms))
    ]
    if missing:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if missing[8:] else "")
        blocks.append(f"Missing: {shown}. What they would fill is marked or left out.")
    blocks.append(_INTERVALS)
    if any(rows.constant for r in results.records.values() for rows in r.rows.values()):
        blocks.append(_CONSTANT)
    blocks.append(Bullets(_departures(results)))
    return blocks


def _departures(results: Results) -> list[str]:
    """The forms, and what differs from the paper, as the runs themselves tell it."""
    lines = [
        f"{_form(form).capitalize()}: {FORM_NOTES[form]}."
        for form in results.forms
        if form in FORM_NOTES
    ]
    records = list(results.records.values())
    if any(r.settings["encoder.path"] == "packaged" for r in records):
        lines.append(
            "Encoder: all-MiniLM-L6-v2 (6 layers, hidden 384, 22.7 million parameters), not "
            "BERT-base (12 layers, 768, 110 million), and itself trained to embed sentences. "
            "Scores are not comparable with the paper's; differences within a table are what to "
            "look at."
        )
        lines.append(
            "all-MiniLM-L6-v2 saw Quora question pairs in its own training, perhaps these dev "
            "pairs too: paraphrase scores are not those of an encoder that never saw them."
        )
    rows = {r.summary["examples"].get("para/train") for r in records} - {None}
    if rows and rows != {141_506}:
        count = " or ".join(f"{n:,}" for n in sorted(rows))
        lines.append(
            f"Quora: {count} training pairs, not 141,506. Paraphrase alone and Method 2 lose most "
            "by that, so what Method 3 discards is less than in the paper."
        )
    epochs = sorted({int(r.summary["epochs"]) for r in records})
    if epochs and epochs != [10]:
        lines.append(
            f"Epochs: {' or '.join(map(str, epochs))}, not 10. At the paper's rate of 1e-5 that "
            "is early in training; differences that need long training do not show."
        )
    return lines


def _findings(results: Results) -> Section:
    rows, details = [], []
    for finding in (f for f in FINDINGS if f.experiment in results.experiments):
        judged = {form: judge(results, form, finding) for form in results.forms}
        rows.append(
            [finding.text, *(f"{j.verdict} ({j.agreeing} of {j.known})" for j in judged.values())]
        )
        details += [
            f"{finding.text} {_form(form).capitalize()}: {j.verdict}. {'; '.join(j.details)}."
            for form, j in judged.items()
        ]
    headers = ["The paper's finding", *map(_form, results.forms)]
    return Section(
        "Which of the paper's findings hold here",
        [_VERDICTS, Table("", headers, rows, left=len(headers)), Bullets(details)],
    )


def _paper_table(results: Results, table: PaperTable) -> Section:
    forms = results.forms
    rows = [
        [row.label, TASKS[task], f"{number:.3f}",
         *(_score_cell(results, table.experiment, f, row.variations[task], task) for f in forms)]
        for row in table.rows
        for task, number in row.scores.items()
    ]  # fmt: skip
    changes = []
    for change in table.changes:
        cells = [change_interval(results, form, change) for form in forms]
        paper = _paper_change(table, change.before, change.after, change.task)
        names = [table.label(v, change.task) for v in (change.before, change.after)]
        changes.append(
            [" → ".join(names), TASKS[change.task], f"{paper:+.3f}",
             *("missing" if c is None else shown_interval(c) for c in cells)]
        )  # fmt: skip
    headers = ["task", "the paper", *map(_form, forms)]
    budget = " ".join(
        f"{_form(f).capitalize()}: {_budget(results, f, table.experiment)}." for f in forms
    )
    return Section(
        f"Table {table.number}: {table.title}",
        [
            Table(f"Dev scores. {budget}", ["", *headers], rows, left=2),
            Table("Differences.", ["change", *headers], changes, left=2),
        ],
    )


def _plain_table(results: Results, experiment: str) -> Section:
    """An experiment that is not the paper's."""
    rows = []
    for form in results.forms:
        for variation in results.variations(experiment):
            group = results.group(experiment, form, variation)
            for task in group.tasks if group else ():
                metric = group.records[0].metric(task) if group else ""
                cell = _score_cell(results, experiment, form, variation, task)
                rows.append([form, variation, f"{task} {metric}", cell])
    budget = " ".join(f"{f}: {_budget(results, f, experiment)}." for f in results.forms)
    return Section(
        results.experiments[experiment],
        [Table(f"Dev scores. {budget}", ["form", "variation", "task", "score"], rows, left=3)],
    )


def _contradictions() -> Section:
    return Section(
        "Where the paper contradicts itself",
        [
            "These runs stand in two of its tables with different numbers. Equal numbers beside "
            "them show that the tables share runs, and STS is the smallest data set, so the limit "
            "of 189 batches an epoch leaves it whole. The distances, 0.02 to 0.03, are larger than "
            "most of the effects that the paper reads from its single runs:",
            Bullets(contradictions()),
            "With Table 3's numbers PCGrad would raise SST by 0.021 and 0.018; with Table 4's it "
            "lowers it by 0.002 and 0.001.",
        ],
    )


def _leaderboard(results: Results) -> Section:
    rows = [["the paper, test", *(f"{LEADERBOARD[task]:.3f}" for task in (*TASKS, "overall"))]]
    for form in results.forms:
        best: dict[str, tuple[float, str]] = {}
        for place in results.places:
            record = results.records.get(place.run)
            for task in TASKS:
                value = record.score(task) if record and place.form == form else None
                if value is not None and value > best.get(task, (-math.inf, ""))[0]:
                    best[task] = (value, place.run)
        if set(best) != set(TASKS):
            continue
        overall = overall_score({task: value for task, (value, _) in best.items()})
        cells = [f"{best[task][0]:.3f} ({best[task][1]})" for task in TASKS]
        rows.append([f"{_form(form)}, dev", *cells, f"{overall:.3f}"])
    caption = (
        "The best run per task. The test labels are not public, so ours are dev scores, the best "
        "of all runs: they are more optimistic than a mean. `mtbert leaderboard STUDY` writes the "
        "six files from the models kept."
    )
    return Section("Table 5: leaderboard", [Table(caption, ["", *TASKS.values(), "overall"], rows)])


def _runs(results: Results) -> Section:
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
            "Seconds per epoch are those of the training steps, evaluation left out: on a CPU the "
            "processor time of each thread, which runs beside it change little; elsewhere the "
            "time that passed.",
            Bullets(list(machines)),
            Table("", headers, rows, left=2),
        ],
    )


def _score_cell(results: Results, experiment: str, form: str, variation: str, task: str) -> str:
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


def _budget(results: Results, form: str, experiment: str | None = None) -> str:
    """Seeds, epochs and limits of the finished runs of a form, in words."""
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
        f"{' or '.join(map(str, epochs))} epochs"
    )
    caps: dict[int, list[str]] = {}
    for p in places:
        cap = results.records[p.run].settings.get("training.steps_per_epoch")
        if cap is not None and p.variation not in caps.setdefault(int(cap), []):
            caps[int(cap)].append(p.variation)
    limits = [f"at most {cap} steps an epoch ({', '.join(names)})" for cap, names in caps.items()]
    return "; ".join([text, *limits])


def _paper_change(table: PaperTable, before: str, after: str, task: str) -> float:
    first, second = table.score(before, task), table.score(after, task)
    assert first is not None
    assert second is not None
    return second - first


def _form(form: str) -> str:
    return FORMS.get(form, form)


def _csv(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)
    return stream.getvalue()
