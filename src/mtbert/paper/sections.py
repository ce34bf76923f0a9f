"""The paper's numbers beside ours: findings, Tables 1 to 5, and how our runs differ."""

from __future__ import annotations

from mtbert.inference.metrics import overall_score
from mtbert.paper.measured import Measured, MeasuredTable
from mtbert.paper.tables import FORM_NOTES, FORMS, TASKS, TEST_SCORES, contradictions
from mtbert.reports.document import Bullets, Section, TableBlock
from mtbert.reports.study import budget, csv_text, score_cell
from mtbert.studies.results import Results
from mtbert.studies.statistics import shown_interval

__all__ = [
    "ON_CONSTANT",
    "ON_SCORES",
    "TITLE",
    "changes_csv",
    "departures",
    "paper_sections",
]

TITLE = "The paper's experiments, reproduced"

ON_SCORES = (
    "[low, high]: 95 % confidence interval of a difference, paired over seeds (Student's t) and "
    "over dev rows (2,000 bootstrap samples); the two half-widths are added in quadrature. With "
    "one seed it covers the dev rows alone."
)
"""How to read the differences."""

ON_CONSTANT = "A difference of two such scores has no interval and decides nothing."
"""What it means for differences that a run has learned nothing."""

_VERDICTS = (
    "A finding holds if the intervals of all its changes lie on its side, does not hold if one "
    "lies on the other side, and is inconclusive otherwise. Where one of several changes is enough "
    "to decide, its interval is widened (Bonferroni). In brackets: how many of its changes lie on "
    "its side by their means alone, of those with an interval."
)


def paper_sections(measured: Measured) -> list[Section]:
    """Findings, the tables with the paper's numbers and ours, contradictions, the leaderboard."""
    return [
        _findings(measured),
        *(_paper_table(measured.results, table) for table in measured.tables),
        _contradictions(),
        _leaderboard(measured),
    ]


def departures(measured: Measured) -> list[str]:
    """What the forms are, and how the runs of these tables differ from the paper's."""
    lines = [
        f"{_form(form).capitalize()}: {FORM_NOTES[form]}."
        for form in measured.results.forms
        if form in FORM_NOTES
    ]
    results, experiments = measured.results, measured.experiments
    names = dict.fromkeys(p.run for p in results.places if p.experiment in experiments)
    records = [results.records[name] for name in names if name in results.records]
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


def changes_csv(measured: Measured) -> str:
    """A row for each change of the tables in each form."""
    rows = [
        [table.table.number, form, c.change.task, c.change.before, c.change.after, c.paper,
         ours.mean, ours.low, ours.high, ours.by_seeds, ours.by_rows, ours.seeds]
        for table in measured.tables
        for c in table.changes
        for form, ours in c.ours.items()
        if ours is not None
    ]  # fmt: skip
    return csv_text(
        ["table", "form", "task", "before", "after", "paper", "mean", "low", "high",
         "half_width_seeds", "half_width_rows", "seeds"],
        rows,
    )  # fmt: skip


def _findings(measured: Measured) -> Section:
    rows, details = [], []
    for found in measured.findings:
        text = found.finding.text
        rows.append(
            [text, *(f"{j.verdict} ({j.agreeing} of {j.known})" for j in found.judged.values())]
        )
        details += [
            f"{text} {_form(form).capitalize()}: {j.verdict}. {'; '.join(j.details)}."
            for form, j in found.judged.items()
        ]
    headers = ["The paper's finding", *map(_form, measured.results.forms)]
    return Section(
        "Which of the paper's findings hold here",
        [_VERDICTS, TableBlock("", headers, rows, left=len(headers)), Bullets(details)],
    )


def _paper_table(results: Results, measured: MeasuredTable) -> Section:
    table, forms = measured.table, results.forms
    rows = [
        [row.label, TASKS[task], f"{number:.3f}",
         *(score_cell(results, table.experiment, f, row.variations[task], task) for f in forms)]
        for row in table.rows
        for task, number in row.scores.items()
    ]  # fmt: skip
    changes = [
        [" → ".join(table.label(v, c.change.task) for v in (c.change.before, c.change.after)),
         TASKS[c.change.task], f"{c.paper:+.3f}",
         *("missing" if ours is None else shown_interval(ours) for ours in c.ours.values())]
        for c in measured.changes
    ]  # fmt: skip
    headers = ["task", "the paper", *map(_form, forms)]
    budgets = " ".join(
        f"{_form(f).capitalize()}: {budget(results, f, table.experiment)}." for f in forms
    )
    return Section(
        f"Table {table.number}: {table.title}",
        [
            TableBlock(f"Dev scores. {budgets}", ["", *headers], rows, left=2),
            TableBlock("Differences.", ["change", *headers], changes, left=2),
        ],
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


def _leaderboard(measured: Measured) -> Section:
    rows = [["the paper, test", *(f"{TEST_SCORES[task]:.3f}" for task in (*TASKS, "overall"))]]
    for form, best in measured.best.items():
        overall = overall_score({task: value for task, (value, _) in best.items()})
        cells = [f"{best[task][0]:.3f} ({best[task][1]})" for task in TASKS]
        rows.append([f"{_form(form)}, dev", *cells, f"{overall:.3f}"])
    caption = (
        "The best run per task. The test labels are not public, so ours are dev scores, the best "
        "of all runs: they are more optimistic than a mean. `mtbert leaderboard STUDY` writes the "
        "six files from the models kept."
    )
    return Section(
        "Table 5: leaderboard", [TableBlock(caption, ["", *TASKS.values(), "overall"], rows)]
    )


def _form(form: str) -> str:
    return FORMS.get(form, form)
