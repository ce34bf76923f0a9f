"""Runs that differ in their seed alone: scores and paired differences, against scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mtbert.studies.folder import read_places
from mtbert.studies.groups import Group, difference, score_interval, seconds_difference
from mtbert.studies.records import read_record


@pytest.fixture(scope="module")
def group(study):
    """Runs of a form and variation by seed; of two experiments the first."""
    names = {}
    for place in read_places(study):
        names.setdefault((f"{place.form}-{place.variation}", place.seed), place.run)

    def make(label, *seeds):
        paths = [study / "runs" / names[label, seed] for seed in seeds]
        return Group(label, tuple(map(read_record, paths)))

    return make


def test_a_score_is_the_mean_over_seeds(group):
    both = group("paper-sst-frozen", 1, 2)
    assert score_interval(both, "sst").mean == pytest.approx(
        np.mean([r.score("sst") for r in both.records])
    )
    assert score_interval(both, "sts") is None


def test_a_difference_is_paired_over_seeds_and_rows(group):
    first, second = group("paper-sst", 1, 2), group("paper-sst-frozen", 1, 2)
    found = difference(first, second, "sst")
    values = [
        a.score("sst") - b.score("sst") for a, b in zip(first.records, second.records, strict=True)
    ]
    half = stats.t.ppf(0.975, 1) * stats.sem(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.by_seeds == pytest.approx(half)
    # The rows' part by scipy, from how often each row is right over the seeds.
    right = [
        np.mean(
            [(r.predictions["sst"].gold == r.predictions["sst"].predicted) for r in g.records],
            axis=0,
        )
        for g in (first, second)
    ]
    ends = stats.bootstrap(
        (right[0] - right[1],), np.mean, n_resamples=4000, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found.by_rows == pytest.approx((ends.high - ends.low) / 2, rel=0.1)


def test_seeds_that_only_one_has_are_left_out(group):
    one, two = group("paper-sst", 1), group("paper-sst-frozen", 1, 2)
    assert difference(one, two, "sst").mean == pytest.approx(
        one.records[0].score("sst") - two.records[0].score("sst")
    )
    other = difference(group("paper-sst", 2), group("paper-sst-frozen", 1), "sst")
    assert other.seeds == 1  # none in common: paired in order


def always(record, task, answer):
    """The same run, had it given all rows one answer."""
    rows = replace(
        record.predictions[task], predicted=np.full_like(record.predictions[task].gold, answer)
    )
    dev = {**record.summary["dev"], task: {"accuracy": float(np.mean(rows.gold == answer))}}
    return replace(
        record,
        predictions={**record.predictions, task: rows},
        summary={**record.summary, "dev": dev},
    )


def test_runs_that_have_learned_nothing_are_not_equal(group):
    """0 and 0 of a thousand rows is a precise difference only of two runs that answer."""
    learned = group("paper-sst", 1, 2)
    floor, other = (
        Group(name, tuple(always(r, "sst", answer) for r in learned.records))
        for name, answer in (("a", 3), ("b", 0))
    )
    for unlearned in (floor, other):
        found = difference(unlearned, floor, "sst")
        assert found.mean == 0.0  # a fifth of the made-up rows each
        assert not found.is_known
    assert difference(learned, floor, "sst").is_known
    assert floor.has_constant("sst")
    assert not learned.has_constant("sst")
    half = Group("half", (floor.records[0], learned.records[1]))
    assert half.has_constant("sst")
    assert difference(half, floor, "sst").is_known


def test_seconds_are_summed_on_each_side(group):
    """Made up: 4 seconds and one more for each task, an epoch."""
    together = [group("paper-method3", 1, 2)]
    alone = [group(f"paper-{t}", 1, 2) for t in ("sst", "para", "sts")]
    found = seconds_difference(together, alone)
    assert (found.mean, found.low, found.high) == (7 - 15, -8, -8)
    assert seconds_difference([group("paper-sst", 1)], [group("paper-para", 2)]) is None


def test_different_metrics_are_not_subtracted(group):
    first, second = group("paper-sst", 1), group("paper-sst-frozen", 1)
    (record,) = second.records
    other = replace(record, summary={**record.summary, "dev": {"sst": {"pearson": 0.5}}})
    assert difference(first, second, "sst") is not None
    assert difference(first, Group("other", (other,)), "sst") is None


def test_different_dev_sets_are_not_paired_by_rows(group):
    first, second = group("paper-sst", 1, 2), group("paper-sst-frozen", 1, 2)
    moved = replace(
        second.records[1],
        predictions={"sst": replace(second.records[1].predictions["sst"], digest="0" * 12)},
    )
    elsewhere = Group("elsewhere", (second.records[0], moved))
    assert difference(first, second, "sst").by_rows is not None
    found = difference(first, elsewhere, "sst")
    assert found.by_rows is None
    assert found.by_seeds == pytest.approx(difference(first, second, "sst").by_seeds)
