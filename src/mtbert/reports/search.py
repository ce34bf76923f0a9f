"""The report of a search: the best trial, how it was found, which settings matter, all trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mtbert.reports.bars import share_chart
from mtbert.reports.charts import Chart, Series, line_chart
from mtbert.reports.document import Block, ChartsBlock, Section, TableBlock
from mtbert.reports.settings import shown_setting
from mtbert.reports.study import csv_text
from mtbert.studies.search.trials import Outcome, SearchTrial, best_trial

__all__ = ["search_charts", "search_sections", "trials_csv"]

_SCORES = (
    "A trial's score is that of its best epoch on the dev rows, on which the trials are compared "
    "too: the best of many is optimistic, and the more so the more trials there are. Test it on "
    "rows that played no part."
)
_IMPORTANCE = (
    "Importance is the share of the variance of the finished trials' scores that a setting "
    "explains on its own (fANOVA: a random forest fitted to the scores). It depends on the values "
    "that were searched, and from few trials it is rough."
)


def search_sections(
    trials: Sequence[SearchTrial],
    score: str,
    importances: Mapping[str, float],
    *,
    lower_is_better: bool,
) -> list[Section]:
    """Everything about a search.

    Args:
        trials: in order; at least one is finished.
        score: what they are compared by.
        importances: share of each setting, the largest first; empty if unknown.
        lower_is_better: whether the score is an error.
    """
    best = best_trial(trials, lower_is_better=lower_is_better)
    assert best is not None
    counts = Counter(trial.outcome for trial in trials)
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    values = [[key, shown_setting(value)] for key, value in best.values.items()]
    charts = search_charts(trials, score, importances, lower_is_better=lower_is_better)
    remarks: list[Block] = [_SCORES, *([_IMPORTANCE] if importances else [])]
    return [
        Section(
            "",
            [
                f"{len(trials)} trials, compared by {score}: {told}. The best is trial "
                f"{best.number} with {best.score:.4f}.",
                TableBlock("The best trial", ["setting", "value"], values, left=2),
                *remarks,
                ChartsBlock("", [*charts.values()]),
            ],
        ),
        Section("Trials", [_table(trials)]),
    ]


def search_charts(
    trials: Sequence[SearchTrial],
    score: str,
    importances: Mapping[str, float],
    *,
    lower_is_better: bool,
) -> dict[str, Chart]:
    """`history` and, where they are known, `importance`."""
    charts = {"history": _history(trials, score, lower_is_better=lower_is_better)}
    if importances:
        charts["importance"] = share_chart("importance of each setting", importances)
    return charts


def trials_csv(trials: Sequence[SearchTrial]) -> str:
    """A row for each trial."""
    keys = _keys(trials)
    header = ["trial", "outcome", "score", "epochs", "run", "reason", *keys]
    rows = [
        [t.number, t.outcome, t.score, len(t.epochs), t.run, t.reason,
         *(shown_setting(t.values[key]) if key in t.values else "" for key in keys)]
        for t in trials
    ]  # fmt: skip
    return csv_text(header, rows)


def _history(trials: Sequence[SearchTrial], score: str, *, lower_is_better: bool) -> Chart:
    """Score of each trial, and the best so far; of those that were stopped the last score."""
    finished = [t for t in trials if t.score is not None]
    pruned = [t for t in trials if t.outcome is Outcome.PRUNED and t.epochs]
    choose = min if lower_is_better else max
    scores = [t.score for t in finished if t.score is not None]
    so_far = [choose(scores[: i + 1]) for i in range(len(scores))]
    series = [
        Series("best so far", [t.number for t in finished], so_far),
        Series("finished", [t.number for t in finished], scores, joined=False),
    ]
    if pruned:
        last = [[*t.epochs.values()][-1] for t in pruned]
        series.append(Series("stopped early", [t.number for t in pruned], last, joined=False))
    return line_chart(f"history: {score}", series, x_label="trial")


def _table(trials: Sequence[SearchTrial]) -> TableBlock:
    keys = _keys(trials)
    rows = [
        [
            str(t.number),
            "" if t.score is None else f"{t.score:.4f}",
            *(shown_setting(t.values[key]) if key in t.values else "" for key in keys),
            t.reason or str(t.outcome),
        ]
        for t in trials
    ]
    return TableBlock("", ["trial", "score", *keys, "outcome"], rows)


def _keys(trials: Sequence[SearchTrial]) -> list[str]:
    return list(dict.fromkeys(key for trial in trials for key in trial.values))
