"""Figures of the paper's experiments: what is drawn, and from which runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mtbert.paper.tables import DURATIONS, FORMS, TASKS
from mtbert.reports.document import FigureBlock, Section
from mtbert.reports.figures import COLOURS, GREY, Curve, curves, render, tidy
from mtbert.runs.scores import main_score
from mtbert.studies.groups import Group, difference
from mtbert.studies.results import Results
from mtbert.studies.statistics import Array, mean_deviation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["calibration_bins", "figure_sections"]

_Places = tuple[tuple[str, str], ...]

_TASK_COLOURS = dict(zip(TASKS, COLOURS, strict=False))
_BLUE, _VERMILLION, _GREEN, _PINK, _ORANGE, _SKY = COLOURS

_RUN_GREYS = ("#6b7785", "#9aa5b1", "#c5ccd3")  # not the colour of a task

# Experiment and variation, the first that a study has.
_TOGETHER = (("batching", "method3"), ("task-count", "sst+para+sts"))
_ALONE = {task: (("pretrain-vs-finetune", task), ("task-count", task)) for task in TASKS}

_CURVES: dict[str, dict[str, tuple[_Places, dict[str, Any]]]] = {
    task: {
        "frozen": (
            (("pretrain-vs-finetune", f"{task}-frozen"),), {"color": GREY, "linestyle": ":"},
        ),
        "alone, all its data": (
            (("pretrain-vs-finetune", task),), {"color": _BLUE, "linestyle": "--"},
        ),
        "alone, as many steps as STS": ((("task-count", task),), {"color": _BLUE}),
        **{
            f"with {TASKS[other]}": (
                (("task-count", "+".join(t for t in TASKS if t in (task, other))),),
                {"color": colour},
            )
            for other, colour in zip(TASKS, (_SKY, _GREEN, _PINK), strict=True)
            if other != task
        },
        "all three, Method 3": (_TOGETHER, {"color": _VERMILLION}),
        "all three, Method 2": (
            (("batching", "method2"),), {"color": _ORANGE, "linestyle": "--"},
        ),
    }
    for task in TASKS
}  # fmt: skip
_PAIRS = ("sst+para", "sst+sts", "para+sts")


def figure_sections(results: Results) -> list[Section]:
    """A section for each figure that there are runs for."""
    kinds = (
        ("Figure 1: duration and improvement", _durations),
        ("Learning curves", _learning_curves),
        ("Gradients of the tasks", _gradients),
        ("SST: confusion", _confusion),
        ("STS: predicted against true", _scatter),
        ("Paraphrase: calibration", _calibration),
    )
    found = []
    for title, make in kinds:
        figures = make(results)
        if figures:
            found.append(Section(title, figures))
    return found


def calibration_bins(
    gold: Array, probability: Array, bins: int = 10
) -> tuple[Array, Array, Array, float]:
    """Mean probability, share of positives and rows of each bin that has any, and ECE.

    ECE: the expected calibration error, the mean distance of the two, weighted by rows (Guo et
    al. 2017, equation 3, with the probability of the positive class).
    """
    places = np.minimum((probability * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins).astype(np.float64)
    kept = counts > 0
    told = np.bincount(places, probability, minlength=bins)[kept] / counts[kept]
    true = np.bincount(places, gold, minlength=bins)[kept] / counts[kept]
    error = float(np.sum(counts[kept] * np.abs(told - true)) / counts.sum())
    return told, true, counts[kept], error


def _durations(results: Results) -> list[FigureBlock]:
    figures = []
    for form in results.forms:
        bars = []
        for label, variations in DURATIONS:
            groups = [results.group("task-count", form, v) for v in variations]
            found = [group for group in groups if group is not None]
            if len(found) == len(variations):
                bars.append((label, found))
        if len(bars) < 2:
            continue

        def draw(figure: Canvas, bars: Any = bars, form: str = form) -> None:
            from matplotlib.ticker import MaxNLocator

            left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.2))
            for y, (_, groups) in enumerate(bars):
                _draw_seconds(left, y, groups)
                _draw_improvement(right, y, results, form, groups)
            left.set_yticks(range(len(bars)), [label for label, _ in bars])
            left.invert_yaxis()
            left.set(xlabel="training seconds per epoch", title="duration")
            right.set(xlabel="difference to the task alone", title="improvement")
            right.axvline(0, color=GREY, linewidth=1)
            for panel in (left, right):
                panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
                tidy(panel)
            drawn = {str(h.get_label()): h for h in right.containers}
            handles = {name: drawn[name] for name in TASKS.values() if name in drawn}
            figure.legend(
                list(handles.values()), list(handles), loc="outside lower center", frameon=False,
                ncols=len(handles),
            )  # fmt: skip

        caption = (
            f"{_name(form)}: seconds per epoch of every way to have all three tasks (shades: its "
            "runs in order; those of one task: SST, Paraphrase, STS), and the change of each "
            "score against the task alone with 95 % intervals."
        )
        svg = render(draw, 10.5, 1.6 + 0.62 * len(bars))
        figures.append(FigureBlock(f"durations-{form}", caption, svg))
    return figures


def _draw_seconds(panel: Axes, y: int, groups: Sequence[Group]) -> None:
    start = 0.0
    for number, group in enumerate(groups):
        mean, _ = mean_deviation([record.seconds_per_epoch for record in group.records])
        panel.barh(y, mean, 0.6, start, color=_RUN_GREYS[number])
        start += mean
    panel.annotate(
        f"{start:.1f}", (start, y), (4, 0), textcoords="offset points", va="center", fontsize=10
    )
    panel.set_xlim(right=max(panel.get_xlim()[1], start * 1.18))


def _draw_improvement(
    panel: Axes, y: int, results: Results, form: str, groups: Sequence[Group]
) -> None:
    for group in groups:
        if len(group.tasks) == 1:
            continue
        for number, task in enumerate(TASKS):
            alone = results.group("task-count", form, task)
            if alone is None or task not in group.tasks:
                continue
            found = difference(group, alone, task)
            if found is None:
                continue
            panel.errorbar(
                found.mean, y + 0.22 * (number - 1),
                xerr=[[found.mean - found.low], [found.high - found.mean]],
                fmt="os^"[number], color=_TASK_COLOURS[task], capsize=3, markersize=5,
                label=TASKS[task],
            )  # fmt: skip


def _learning_curves(results: Results) -> list[FigureBlock]:
    figures = []
    for form in results.forms:
        panels = []
        for task, lines in _CURVES.items():
            drawn: list[Curve] = []
            metric = ""
            for label, (places, style) in lines.items():
                group = _first(results, form, places)
                if group is None:
                    continue
                metric = group.records[0].metric(task)
                epochs, means = _mean_curve(group, task)
                drawn.append((label, epochs, means, style))
            if drawn:
                panels.append((TASKS[task], metric, drawn))
        if panels:
            caption = f"{_name(form)}: dev scores over the epochs, mean over seeds."
            figures.append(FigureBlock(f"learning-curves-{form}", caption, curves(panels, "epoch")))
    return figures


def _mean_curve(group: Group, task: str) -> tuple[list[float], list[float]]:
    by_epoch: dict[float, list[float]] = {}
    for record in group.records:
        for point in record.curve:
            value = main_score(point["dev"][task])
            by_epoch.setdefault(point["epoch"], []).append(np.nan if value is None else value)
    return list(by_epoch), [float(np.mean(values)) for values in by_epoch.values()]


def _gradients(results: Results) -> list[FigureBlock]:
    figures = []
    for form in results.forms:
        together = _first(results, form, _TOGETHER)
        acts = {
            pair: share
            for pair in _PAIRS
            if (group := results.group("gradient-surgery", form, f"{pair}-pcgrad"))
            and (share := _acting_shares(group))
        }
        parts: list[tuple[float, str, Callable[[Axes], None]]] = []
        if together is not None:
            told = (
                "cosine of the tasks' gradients of the shared encoder, three tasks together "
                "without surgery (thin: each measurement; thick: mean of the seven around it)"
            )
            parts.append((7, told, partial(_draw_cosines, group=together)))
        if acts:
            told = "the share of logged steps in which PCGrad changed a gradient, by pair"
            parts.append((3.5, told, partial(_draw_acting, acts=acts)))
        if not parts:
            continue

        def draw(figure: Canvas, parts: Any = parts) -> None:
            panels = figure.subplots(
                1, len(parts), squeeze=False, width_ratios=[width for width, _, _ in parts]
            )
            for panel, (_, _, draw_part) in zip(panels[0], parts, strict=True):
                draw_part(panel)
                tidy(panel)

        caption = f"{_name(form)}: {', and '.join(told for _, told, _ in parts)}."
        width = sum(width for width, _, _ in parts)
        figures.append(FigureBlock(f"gradients-{form}", caption, render(draw, width, 4)))
    return figures


def _draw_acting(panel: Axes, acts: Mapping[str, Sequence[float]]) -> None:
    for x, shares in enumerate(acts.values()):
        mean, deviation = mean_deviation(shares)
        spread = float(np.nan_to_num(deviation))
        panel.bar(x, mean, 0.6, color=_BLUE, yerr=spread, capsize=4, ecolor=GREY)
        panel.text(x, mean + spread + 0.02, f"{mean:.0%}", ha="center", fontsize=10)
    panel.set_xticks(range(len(acts)), [_pair_name(pair, "\n") for pair in acts])
    panel.set(ylim=(0, 1.08), title="steps in which PCGrad acts", ylabel="share")


def _draw_cosines(panel: Axes, group: Group) -> None:
    panel.axhline(0, color=GREY, linewidth=1)
    panel.set(xlabel="step", ylabel="cosine", title="cosine of two tasks' gradients")
    by_pair: dict[str, dict[int, list[float]]] = {}
    for record in group.records:
        for point in record.gradients:
            for pair, cosine in point["gradient_cosine"].items():
                by_pair.setdefault(pair, {}).setdefault(point["step"], []).append(cosine)
    for (pair, points), colour, dash in zip(
        by_pair.items(), (_BLUE, _VERMILLION, _GREEN), ("-", "--", "-."), strict=False
    ):
        steps = sorted(points)
        means = np.array([np.mean(points[step]) for step in steps])
        panel.plot(steps, means, color=colour, alpha=0.3, linewidth=1)
        label = _pair_name(pair.replace("/", "+"))
        panel.plot(steps, _smoothed(means), dash, color=colour, linewidth=2, label=label)
    panel.legend(frameon=False, fontsize=10)


def _smoothed(values: Array, window: int = 7) -> Array:
    half = window // 2
    return np.array([values[max(0, i - half) : i + half + 1].mean() for i in range(len(values))])


def _acting_shares(group: Group) -> list[float]:
    """By seed: of the logged steps, the share in which a weight is not 1."""
    shares = []
    for record in group.records:
        weights = [p["surgery_weights"] for p in record.gradients if "surgery_weights" in p]
        if weights:
            acting = [any(abs(w - 1) > 1e-9 for w in step.values()) for step in weights]
            shares.append(float(np.mean(acting)))
    return shares


def _confusion(results: Results) -> list[FigureBlock]:
    groups = _by_form(results, _ALONE["sst"])
    if not groups:
        return []

    def draw(figure: Canvas) -> None:
        axes = figure.subplots(1, len(groups), squeeze=False)[0]
        for panel, (form, group) in zip(axes, groups.items(), strict=True):
            rows = [record.predictions["sst"] for record in group.records]
            classes = 1 + int(max(max(r.gold.max(), r.predicted.max()) for r in rows))
            counts = np.zeros((classes, classes))
            for r in rows:
                np.add.at(counts, (r.gold.astype(int), r.predicted.astype(int)), 1)
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for i, j in np.ndindex(*shares.shape):
                dark = shares[i, j] > 0.5
                panel.text(j, i, f"{shares[i, j]:.2f}", ha="center", va="center", fontsize=10,
                           color="white" if dark else "black")  # fmt: skip
            names = ["--", "-", "0", "+", "++"] if classes == 5 else [*map(str, range(classes))]
            panel.set_xticks(range(classes), names)
            panel.set_yticks(range(classes), names)
            panel.set(title=_name(form), xlabel="predicted", ylabel="true")

    caption = (
        "SST alone, fine-tuned: share of each true class (very negative to very positive) that is "
        "taken for each class; all seeds."
    )
    return [FigureBlock("confusion-sst", caption, render(draw, 0.6 + 4.4 * len(groups), 4.4))]


def _scatter(results: Results) -> list[FigureBlock]:
    groups = _by_form(results, _ALONE["sts"])
    if not groups:
        return []

    def draw(figure: Canvas) -> None:
        axes = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
        for panel, (form, group) in zip(axes, groups.items(), strict=True):
            record = group.records[0]
            rows = record.predictions["sts"]
            panel.plot(rows.gold, rows.predicted, ".", color=_BLUE, alpha=0.35, markersize=5,
                       markeredgewidth=0)  # fmt: skip
            ends = [float(rows.gold.min()), float(rows.gold.max())]
            panel.plot(ends, ends, "--", color=_VERMILLION, linewidth=1.5)
            r = record.score("sts")
            told = "undefined" if r is None else f"r = {r:.3f}"
            panel.set(title=f"{_name(form)}, {told}", xlabel="true similarity")
            tidy(panel)
        axes[0].set_ylabel("predicted")

    caption = "STS alone, fine-tuned: predicted against true similarity on dev, the first seed."
    return [FigureBlock("scatter-sts", caption, render(draw, 0.8 + 4.4 * len(groups), 4.2))]


def _calibration(results: Results) -> list[FigureBlock]:
    parts = {
        "alone": _by_form(results, _ALONE["para"]),
        "all three, Method 3": _by_form(results, _TOGETHER),
    }
    forms = [f for f in results.forms if any(f in groups for groups in parts.values())]
    if not forms:
        return []

    def draw(figure: Canvas) -> None:
        axes = figure.subplots(1, len(forms), squeeze=False, sharey=True)[0]
        for panel, form in zip(axes, forms, strict=True):
            panel.plot([0, 1], [0, 1], color=GREY, linewidth=1)
            for (label, groups), colour, style in zip(
                parts.items(), (_BLUE, _VERMILLION), ("o-", "s--"), strict=True
            ):
                rows = (
                    [r.predictions["para"] for r in groups[form].records] if form in groups else []
                )
                told = [r.probability for r in rows if r.probability is not None]
                if told:
                    gold = np.concatenate([r.gold for r in rows])
                    x, y, _, error = calibration_bins(gold, np.concatenate(told))
                    panel.plot(x, y, style, color=colour, markersize=5,
                               label=f"{label}, ECE {error:.3f}")  # fmt: skip
            panel.set(title=_name(form), xlabel="predicted probability of a duplicate")
            panel.legend(frameon=False, fontsize=10, loc="upper left")
            tidy(panel)
        axes[0].set_ylabel("share of duplicates")

    caption = (
        "Paraphrase: share of true duplicates among pairs of similar predicted probability, ten "
        "bins, all seeds. In the paper's form (squared error) the output itself, held within 0 "
        "and 1, stands for the probability. ECE: expected calibration error."
    )
    return [FigureBlock("calibration-para", caption, render(draw, 0.8 + 4.4 * len(forms), 4.4))]


def _first(results: Results, form: str, places: _Places) -> Group | None:
    found = (results.group(experiment, form, variation) for experiment, variation in places)
    return next((group for group in found if group is not None), None)


def _by_form(results: Results, places: _Places) -> dict[str, Group]:
    found = {form: _first(results, form, places) for form in results.forms}
    return {form: group for form, group in found.items() if group is not None}


def _name(form: str) -> str:
    text = FORMS.get(form, form)
    return text[:1].upper() + text[1:]


def _pair_name(pair: str, joint: str = " ") -> str:
    return f" +{joint}".join(TASKS.get(task, task) for task in pair.split("+"))
