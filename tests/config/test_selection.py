"""What `training.select` may name, and what is said of other names."""

import pytest

from mtbert.config.load import parse_settings
from mtbert.config.selection import Chosen, parse_select
from mtbert.errors import UserError

TASKS = {
    "mood": {"kind": "classification", "train": "t", "dev": "d", "labels": ["a. b", "c:d", "e"]},
    "spam": {"kind": "pair_classification", "train": "t2", "dev": "d2"},
    "year": {"kind": "regression", "train": "t3", "dev": "d3"},
    "silent": {"kind": "regression", "train": "t4"},
}


def settings(select, tasks=TASKS):
    tree = {"tasks": tasks, "training": {"select": select}, "data": {"dir": "/data"}}
    return parse_settings(tree, "toy")


@pytest.mark.parametrize(
    "select",
    ["sum", "balanced", "mood.mcc", "mood.f1:a. b", "mood.recall:c:d", "spam.f1_positive",
     "spam.auc", "year.rmse", "year.r2", "year.mae"],
)  # fmt: skip
def test_any_metric_of_a_task_with_dev_rows_may_choose(select):
    assert settings(select).training.select == select


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ("mood.mc", "did you mean 'mood.mcc'?"),
        ("yaer.rmse", "did you mean 'year.rmse'?"),
        ("mood.f1_positive", "mood.f1"),  # it has three classes
        ("silent.pearson", "sum"),
        ("mood.f1:x", "or of one class, such as mood.f1:a. b"),
        ("mood.accuracy:e", "expected one of balanced, sum, mood.accuracy"),
        ("year.f1", "did you mean 'year."),
        ("", "expected one of balanced, sum"),
    ],
)
def test_another_name_is_refused_with_the_nearest_and_all_valid_ones(select, told):
    with pytest.raises(UserError) as refused:
        settings(select)
    message = str(refused.value)
    assert f"training.select: found {select!r}" in message
    assert told in message
    assert "spam.average_precision, year.pearson" in message
    assert "silent" not in message.replace(repr(select), "")


def test_a_task_of_many_names_lists_some_of_them():
    tasks = {f"t{i}": TASKS["year"] | {"dev": f"d{i}"} for i in range(30)}
    with pytest.raises(UserError, match="…") as refused:
        settings("x", tasks)
    assert len(str(refused.value)) < 1000


def test_a_run_without_dev_rows_is_refused():
    with pytest.raises(UserError, match="no task has a `dev` file"):
        settings("sum", {"silent": TASKS["silent"]})


def test_parts_of_a_name():
    assert parse_select("sum") is None
    assert parse_select("a.mae") == Chosen("a", "mae", None)
    assert parse_select("a.f1:x.y:z") == Chosen("a", "f1", "x.y:z")
    assert parse_select("a.mae").lower_is_better
    assert not parse_select("a.f1:x").lower_is_better
