import math

import pytest

from mtbert.config.targets import TargetKind
from mtbert.runs.folder import read_summary
from mtbert.runs.scores import main_metric, main_score, shown_score


def test_the_main_metric_is_that_of_the_kind(finished, toy):
    settings = toy.settings()
    for task, metrics in read_summary(finished)["dev"].items():
        assert main_metric(metrics) == settings.tasks[task].kind.main_metric
        assert main_score(metrics) == metrics[main_metric(metrics)]


@pytest.mark.parametrize("kind", TargetKind)
def test_every_kind_lists_its_main_metric_first(kind):
    metrics = {name: number / 10 for number, name in enumerate(kind.metrics, start=3)}
    assert (main_metric(metrics), main_score(metrics)) == (kind.main_metric, 0.3)


def test_an_undefined_or_missing_score_is_none():
    assert main_score({"pearson": None, "spearman": 0.5}) is None
    assert main_score({}) is None
    assert main_score(None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (-1, "-1.0000"), (None, "undefined"), (math.nan, "undefined")],
)
def test_scores_are_shown_with_four_digits(value, text):
    assert shown_score(value) == text
