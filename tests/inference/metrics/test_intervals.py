"""Intervals of every metric of every kind of task."""

import numpy as np
import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.inference.metrics import score
from mtbert.inference.metrics.intervals import intervals

NAMES = ["a", "b", "c"]
TASKS = {
    "classes": TaskSettings(kind="classification", train="t", labels=NAMES),
    "two": TaskSettings(kind="classification", train="t", labels=NAMES[:2]),
    "ordinal": TaskSettings(kind="classification", train="t", labels=NAMES, loss="ordinal"),
    "labels": TaskSettings(kind="multilabel_classification", train="t", labels=NAMES),
    "numbers": TaskSettings(kind="regression", train="t"),
}


def made_up(name, rows):
    source = np.random.default_rng(4)
    if name == "numbers":
        gold = source.normal(2000, 5, rows)
        return gold, gold + source.normal(0, 3, rows), None
    shape = (rows, 3) if name == "labels" else (rows,)
    gold = source.integers(0, 2 if name in ("two", "labels") else 3, shape).astype(float)
    kept = source.random(shape) < 0.7
    other = 1 - gold if name in ("two", "labels") else (gold + 1) % 3
    predicted = np.where(kept, gold, other)
    positive = 0.5 * predicted + 0.5 * source.random(rows) if name == "two" else None
    return gold, predicted, positive


@pytest.mark.parametrize("name", TASKS)
def test_every_metric_has_an_interval_around_its_value(name):
    data = made_up(name, 200)
    values = score(TASKS[name], *data)
    found, by_class = intervals(TASKS[name], *data)
    assert list(found) == list(values)
    for metric, (low, high) in found.items():
        assert low < values[metric] < high, metric
        assert high - low < 0.35 or metric in ("mae", "rmse")
    names = TASKS[name].class_names
    assert {len(ends) for ends in by_class.values()} == ({len(names)} if names else set())


@pytest.mark.parametrize("name", TASKS)
def test_more_rows_make_it_narrower(name):
    few, many = (intervals(TASKS[name], *made_up(name, rows))[0] for rows in (100, 1600))
    for metric in few:
        wide, narrow = few[metric][1] - few[metric][0], many[metric][1] - many[metric][0]
        assert narrow / wide == pytest.approx(1 / 4, rel=0.5), metric


def test_a_class_without_rows_has_no_interval_of_its_recall():
    gold = np.array([0.0, 1, 0, 1])
    _, by_class = intervals(TASKS["classes"], gold, gold)
    assert by_class["recall"][2] is None
    assert by_class["recall"][0] == (1, 1)
