"""Learning curves: which charts there are, thinning, and what is said of conflicts."""

import pytest

from mtbert.reports.document import ChartsBlock, TableBlock
from mtbert.reports.learning import learning_section, score_chart

DEV = [
    {"epoch": 1, "step": 10, "dev": {"a": {"f1": 0.5, "mcc": 0.1}, "b": {"pearson": None}}},
    {"epoch": 2, "step": 20, "dev": {"a": {"f1": 0.7, "mcc": 0.2}, "b": {"pearson": 0.3}},
     "loss": {"a": 0.25}},
]  # fmt: skip


def step(number, cosine, **more):
    return {
        "step": number,
        "loss": {"a": 1.0 / number, "b": 4.0},
        "task_gradient_norm": {"a": 1.0, "b": 30.0},
        "gradient_cosine": {"a/b": cosine},
    } | more


def charts(section):
    return [c for block in section.blocks if isinstance(block, ChartsBlock) for c in block.charts]


def test_each_task_has_its_loss_and_its_main_metric_and_gradients_follow():
    section = learning_section([step(1, 0.5), step(2, -0.9)], DEV)
    assert [chart.title for chart in charts(section)] == [
        "a: loss", "b: loss", "a: f1", "b: pearson", "Gradient norm of each task",
        "Cosines between the tasks' gradients",
    ]  # fmt: skip
    assert charts(section)[0].legend == [("train", 0), ("dev", 1)]
    assert charts(section)[1].legend == []


def test_conflicts_and_norms_are_counted():
    steps = [step(1, 0.5), step(2, -0.9), step(3, None), step(4, -0.2)]
    tables = [b for b in learning_section(steps, DEV).blocks if isinstance(b, TableBlock)]
    norms, cosines = (table.rows for table in tables)
    assert norms == [["a", "1", "1.0"], ["b", "30", "30.0"]]
    assert cosines == [["a / b", "-0.20", "67%", "conflict"]]


@pytest.mark.parametrize(
    ("cosine", "word"), [(0.5, "agree"), (-0.004, "neither"), (-0.06, "conflict")]
)
def test_what_a_mean_cosine_means(cosine, word):
    section = learning_section([step(1, cosine)], DEV)
    (*_, row) = (b.rows[0] for b in section.blocks if isinstance(b, TableBlock))
    assert row[3] == word
    assert "-0.00" not in row[1]


def test_cosines_are_drawn_around_0():
    section = learning_section([step(1, 0.05), step(2, -0.3)], DEV)
    svg = charts(section)[-1].svg
    assert ">0.2</text>" in svg
    assert ">-0.2</text>" in svg
    assert ">1</text>" in svg  # a step


def test_without_gradients_or_losses_only_scores_are_drawn():
    section = learning_section([{"step": 1}], [DEV[0]])
    assert [chart.title for chart in charts(section)] == ["a: f1", "b: pearson"]


def test_of_many_steps_each_point_is_a_mean():
    section = learning_section([step(i, 0.0) for i in range(1, 1001)], DEV[:1])
    (first, *_) = charts(section)
    assert first.svg.count(",") < 300
    early = sum(1 / i for i in range(1, 6)) / 5
    assert f"train: {early:.4g} at first" in first.svg


def test_runs_are_compared_by_epoch():
    chart = score_chart("a", {"one": DEV, "two": DEV[:1], "without": [{"epoch": 1, "dev": {}}]})
    assert chart.title == "a: f1"
    assert [name for name, _ in chart.legend] == ["one", "two"]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_an_undefined_score_leaves_a_gap(value):
    records = [{"epoch": e, "dev": {"a": {"f1": v}}} for e, v in ((1, 0.5), (2, value), (3, 0.7))]
    assert "0.5 at first, 0.7 at the end" in score_chart("a", {"": records}).svg
