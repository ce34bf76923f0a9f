import math

import pytest

from mtbert.distributed.processes import ALONE
from mtbert.runs.state import State
from mtbert.training.setup import prepare
from mtbert.training.summary import summarise


@pytest.fixture
def prepared(toy):
    return prepare(toy.settings(seed=5, training={"accumulate": "auto"}), ALONE)


def state(**changes):
    dev = {"sst": {"accuracy": 0.8, "f1": 0.1}, "para": {"accuracy": 0.6}, "sts": {"pearson": 0.4}}
    return State(best_dev=dev, best_step=6, best_epoch=2, step=9, **changes)


def test_scores_are_those_of_the_best_evaluation_by_each_tasks_main_metric(prepared):
    found = summarise(prepared, state())
    assert found["mean"] == pytest.approx(0.6)
    assert found["overall"] == pytest.approx((0.8 + 0.6 + 0.7) / 3)
    assert (found["best_step"], found["best_epoch"], found["steps"]) == (6, 2, 9)


def test_an_undefined_score_leaves_the_mean_undefined(prepared):
    found = summarise(prepared, State(best_dev={"sst": {"accuracy": None}}))
    assert math.isnan(found["mean"])


def test_speed_is_over_the_time_that_computed_tokens(prepared):
    found = summarise(prepared, state(tokens=600, step_seconds=2.0, encoding_seconds=1.0))
    assert found["tokens_per_second"] == 200
    assert math.isnan(summarise(prepared, state())["tokens_per_second"])


def test_it_counts_rows_and_says_what_happened(prepared):
    found = summarise(prepared, state(parts=4, out_of_memory=2, left_out={"sts": 1}))
    assert found["examples"]["sst/train"] == 16
    assert found["examples"]["sts/dev"] == 10
    assert found["skipped_rows"] == dict.fromkeys(found["examples"], 0)
    assert (found["accumulate"], found["out_of_memory"], found["left_out"]) == (4, 2, {"sts": 1})
    assert (found["seed"], found["device"], found["precision"]) == (5, "cpu", "fp32")
