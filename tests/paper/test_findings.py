"""Verdicts on the paper's findings, from intervals made by hand and from a made-up study."""

import pytest

from mtbert.paper import findings
from mtbert.paper.findings import change_interval, judge, verdict
from mtbert.paper.tables import FINDINGS, Change, Finding
from mtbert.studies.results import load_results
from mtbert.studies.statistics import Interval, shown_interval

UP, DOWN, OPEN = (0.01, 0.05), (-0.05, -0.01), (-0.02, 0.02)


def measure(ends):
    """An interval of these ends at every level; None: not measured."""
    if ends is None:
        return lambda level: None
    return lambda level: Interval(sum(ends) / 2, *ends, seeds=3, by_seeds=0.01, by_rows=None)


CASES = [
    # intervals, sign, margin, need, verdict
    ([UP, UP], 1, 0, "all", "holds"),
    ([UP, OPEN], 1, 0, "all", "inconclusive"),
    ([UP, DOWN], 1, 0, "all", "does not hold"),
    ([UP, None], 1, 0, "all", "inconclusive"),
    ([DOWN, None], 1, 0, "all", "does not hold"),
    ([DOWN, DOWN], -1, 0, "all", "holds"),
    ([UP, DOWN], -1, 0, "all", "does not hold"),
    ([UP, DOWN], 1, 0, "any", "holds"),
    ([OPEN, DOWN], 1, 0, "any", "inconclusive"),
    ([DOWN, DOWN], 1, 0, "any", "does not hold"),
    ([None, DOWN], 1, 0, "any", "inconclusive"),
    ([(-0.009, 0.004)], 1, -0.01, "all", "holds"),  # hardly hurts
    ([(-0.03, -0.011)], 1, -0.01, "all", "does not hold"),
    ([(-0.03, 0.004)], 1, -0.01, "all", "inconclusive"),
    ([(0.011, 0.03)], -1, -0.01, "all", "does not hold"),
]


@pytest.mark.parametrize(("ends", "sign", "margin", "need", "told"), CASES)
def test_a_verdict_follows_from_where_the_intervals_lie(ends, sign, margin, need, told):
    assert verdict([measure(e) for e in ends], sign, margin, need) == told


def test_where_one_of_several_is_enough_it_must_be_surer():
    """Clear at 95 %, open at 1 - 0.05 / 2."""

    def narrow(level):
        half = 0.02 if level > 0.96 else 0.01
        return Interval(0.015, 0.015 - half, 0.015 + half, 3, half, None)

    assert verdict([narrow, measure(OPEN)], 1, 0, "any") == "inconclusive"
    assert verdict([narrow], 1, 0, "any") == "holds"  # it is the only one
    assert verdict([narrow, measure(UP)], -1, 0, "all") == "does not hold"
    assert verdict([narrow, measure(OPEN)], -1, 0, "all") == "inconclusive"


def test_an_interval_of_one_value_decides_nothing():
    known_of_nothing = Interval(0.1, 0.1, 0.1, 1, None, None)
    assert verdict([lambda level: known_of_nothing], 1, 0, "all") == "inconclusive"
    assert shown_interval(known_of_nothing) == "+0.100"


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


@pytest.mark.parametrize("form", ["paper", "ours"])
def test_a_made_up_study_is_judged_as_it_was_made(results, form):
    """Frozen runs were made much worse, and more tasks together take fewer seconds in sum."""
    told = {f.text: judge(results, form, f) for f in FINDINGS}
    assert told["Fine-tuning beats the frozen encoder on every task."].verdict == "holds"
    faster = told["The more tasks at once, the faster training is in total."]
    assert faster.verdict == "holds"
    assert (faster.agreeing, faster.known) == (6, 6)
    # 15 seconds in three runs, 11 in two
    assert "-4.0 [-4.0, -4.0] s an epoch" in faster.details[0]
    assert all(len(j.details) > 0 for j in told.values())


def test_a_change_is_after_less_before(results):
    change = Change("pretrain-vs-finetune", "sst-frozen", "sst", "sst")
    before, after = (
        results.group("pretrain-vs-finetune", "paper", v).scores("sst")
        for v in ("sst-frozen", "sst")
    )
    expected = sum(a - b for a, b in zip(after, before, strict=True)) / 2
    found = change_interval(results, "paper", change)
    assert found.mean == pytest.approx(expected)
    assert found.seeds == 2
    assert change_interval(results, "paper", Change("batching", "x", "y", "sst")) is None


def test_what_is_missing_is_said(results):
    finding = Finding("?", (Change("batching", "method2", "method9", "para"),))
    told = judge(results, "paper", finding)
    assert told.verdict == "inconclusive"
    assert (told.agreeing, told.known) == (0, 0)
    assert told.details[0].endswith("missing")


@pytest.mark.parametrize(
    ("sign", "margin", "agreeing"), [(1, 0, 1), (-1, 0, 2), (1, -0.03, 2), (-1, 0.03, 1)]
)
def test_means_on_a_findings_side_are_counted(monkeypatch, sign, margin, agreeing):
    """Means 0.02, -0.02 and -0.04; one change of which nothing is known, one that is missing."""
    means = {"a": 0.02, "b": -0.02, "c": -0.04, "d": 0.5, "e": None}
    changes = tuple(Change("x", name, "y", "sst") for name in means)

    def made_up(results, form, change, level=0.95):
        mean = means[change.before]
        if mean is None:
            return None
        width = None if change.before == "d" else 1.0
        return Interval(mean, mean - (width or 0), mean + (width or 0), 1, width, None)

    monkeypatch.setattr(findings, "change_interval", made_up)
    told = judge(None, "paper", Finding("?", changes, sign=sign, margin=margin))
    assert (told.verdict, told.agreeing, told.known) == ("inconclusive", agreeing, 3)
