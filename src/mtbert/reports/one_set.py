"""The scores of one set of labelled rows: metrics, classes, mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from mtbert.inference.details import ClassDetails, Score, SetDetails
from mtbert.reports.charts import Series, line_chart, scatter_chart
from mtbert.reports.document import (
    Block,
    ChartsBlock,
    Example,
    ExamplesBlock,
    Fold,
    Section,
    TableBlock,
)
from mtbert.runs.scores import shown_score

__all__ = ["metric_rows", "set_section", "shown_range"]

_FEW = 12
"""Classes whose tables are shown unfolded."""

_MEANINGS = {
    "f1": "F1, macro average over all classes",
    "macro_f1": "F1, macro average over all labels",
    "micro_f1": "F1 of all decisions together",
    "balanced_accuracy": "balanced accuracy: mean recall of the classes",
    "mcc": "MCC (Matthews correlation)",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
    "qwk": "quadratic weighted kappa",
    "auc": "area under the ROC curve",
    "average_precision": "average precision",
    "subset_accuracy": "rows with all labels right",
}


def set_section(name: str, found: SetDetails) -> Section:
    """Everything about a set.

    Args:
        name: in scores: of the task, or `task/set`.
        found: its details.
    """
    blocks: list[Block] = [f"{found.rows:,} dev rows."]
    if found.undefined is not None:
        blocks.append(f"Some metrics are undefined: {found.undefined}.")
    if found.constant is not None:
        answer = _label(found.constant)
        blocks.append(
            f"Every row has the same answer ({answer}): the task has learned nothing yet. A higher "
            "learning rate of the heads, more epochs, or `class_weights: balanced` may help."
        )
    positive = found.classes[1].name if len(found.classes) == 2 else None
    rows = metric_rows(found, positive)
    blocks.append(TableBlock("Scores", ["metric", "value", "95 % interval"], rows))
    blocks += _class_blocks(found) + _figures(found) + _threshold_blocks(found)
    if found.mistakes:
        blocks.append(_mistakes(found))
    return Section(f"Scores: {name}", blocks)


def metric_rows(found: SetDetails, positive: str | None = None) -> list[list[str]]:
    """A row for each metric: what it is, its value, its interval."""
    return [
        [_meaning(metric, positive), shown_score(score.value), shown_range(score)]
        for metric, score in found.metrics.items()
    ]


def shown_range(score: Score) -> str:
    """`0.810 to 0.890`; empty where nothing is known.

    Ends that are equal say nothing: where every row is right, or none is, so it is in each sample.
    """
    if score.low is None or score.high is None or score.low == score.high:
        return ""
    form = ".3f" if max(abs(score.low), abs(score.high)) < 10 else ".4g"
    return f"{score.low:{form}} to {score.high:{form}}"


def _meaning(metric: str, positive: str | None) -> str:
    name, _, of = metric.rpartition("_")
    if of == "positive" and positive is not None:
        return f"{'F1' if name == 'f1' else name} of {positive}"
    return _MEANINGS.get(metric, metric)


def _class_blocks(found: SetDetails) -> list[Block]:
    if not found.classes:
        return []
    absent = [c.name for c in found.classes if not c.rows]
    blocks: list[Block] = []
    if absent:
        blocks.append(
            f"Without dev rows, so that nothing is known of them: {_listed(absent)}. In the macro "
            "average they count 0."
        )
    never = [c.name for c in found.classes if c.rows and not c.predicted]
    if never:
        blocks.append(f"Never given as an answer, though dev rows have them: {_listed(never)}.")
    headers = ["class", "F1", "95 % interval", "precision", "recall", "rows", "answers"]
    table = TableBlock("Scores by class", headers, [_class_row(c) for c in found.classes])
    matrix = _matrix(found)
    if len(found.classes) <= _FEW:
        return [*blocks, table, *matrix]
    weak = sorted((c for c in found.classes if c.rows), key=lambda c: (c.f1.value or 0.0, -c.rows))[
        :10
    ]
    blocks.append(TableBlock("The ten weakest classes", headers, [_class_row(c) for c in weak]))
    blocks.append(Fold(f"All {len(found.classes)} classes", [table]))
    return blocks + matrix


def _class_row(found: ClassDetails) -> list[str]:
    scores = (found.f1, found.precision, found.recall)
    f1, *others = ("-" if s.value is None else f"{s.value:.3f}" for s in scores)
    return [
        found.name, f1, shown_range(found.f1), *others, f"{found.rows:,}", f"{found.predicted:,}"
    ]  # fmt: skip


def _matrix(found: SetDetails) -> list[Block]:
    """The confusion matrix of a few classes, the most confused pairs of many."""
    names = [c.name for c in found.classes]
    if found.confusion is not None and len(names) <= _FEW:
        rows = [
            [name, *(f"{n:,}" if n else "·" for n in counts)]
            for name, counts in zip(names, found.confusion, strict=True)
        ]
        shades = [[0, *(n / max(1, sum(counts)) for n in counts)] for counts in found.confusion]
        caption = "Rows by true class (down) and answer (across); the darker, the larger its share"
        return [TableBlock(caption, ["", *names], rows, shades=shades)]
    if not found.confused:
        return []
    pairs = [[c.gold, c.predicted, f"{c.rows:,}"] for c in found.confused]
    headers = ["true class", "was taken for", "rows"]
    return [TableBlock("Most confused classes", headers, pairs[:_FEW], left=2)]


def _figures(found: SetDetails) -> list[Block]:
    charts = []
    if found.points:
        charts.append(scatter_chart("Answers against labels", found.points, "label", "answer"))
    if found.calibration is not None and found.calibration.bins:
        bins = found.calibration.bins
        told = [b.confidence for b in bins]
        lines = [
            Series("share that is right", told, [b.accuracy for b in bins]),
            Series("if every confidence were true", [0, 1], [0, 1]),
        ]
        error = found.calibration.error
        title = f"Calibration (expected error {error:.3f})"
        charts.append(line_chart(title, lines, x_label="confidence", limits=(0, 1)))
    return [ChartsBlock("", charts)] if charts else []


def _threshold_blocks(found: SetDetails) -> list[Block]:
    if not found.thresholds:
        return []
    rows = [
        [t.label, "F1" if t.metric == "f1" else "MCC", f"{t.threshold:.3f}", f"{t.value:.3f}",
         f"{t.at_half:.3f}"]
        for t in found.thresholds
    ]  # fmt: skip
    note = (
        "Best thresholds: the class is given where its probability is above it. They are chosen on "
        "the same dev rows that they are scored on, so the gain over 0.5 is optimistic."
    )
    headers = ["class", "for", "threshold", "value there", "value at 0.5"]
    table = TableBlock(note, headers, rows, left=2)
    return [table if len(found.classes) <= _FEW else Fold("Best thresholds", [table])]


def _mistakes(found: SetDetails) -> Fold:
    error = "loss" if found.classes else "error"
    examples = []
    for mistake in found.mistakes:
        facts = [
            ("label", _label(mistake.gold)), ("answer", _label(mistake.predicted)),
            (error, f"{mistake.error:.4g}"), ("row", mistake.id),
        ]  # fmt: skip
        if mistake.confidence is not None:
            facts.insert(2, ("confidence", f"{mistake.confidence:.2f}"))
        examples.append(Example(mistake.texts or (), facts))
    many = len(examples)
    title = f"The {many} examples that are most wrong" if many > 1 else "The example that is wrong"
    return Fold(title, [ExamplesBlock("The worst first; long texts are cut.", examples)])


def _label(value: str | float | list[str] | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(value) or "(no label)"
    return value if isinstance(value, str) else f"{value:.6g}"


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
