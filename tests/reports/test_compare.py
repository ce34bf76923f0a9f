"""Runs side by side: which are one group, and what the numbers beside them are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mtbert.errors import UserError
from mtbert.reports.compare import compare, group_runs
from mtbert.studies.folder import read_places
from mtbert.studies.groups import Group, difference, score_interval, seconds_difference
from mtbert.studies.records import read_record


@pytest.fixture(scope="module")
def runs(study):
    """Run folders by form and variation, and seed; of two experiments the first."""

    def find(label, seed):
        name = next(
            p.run
            for p in read_places(study)
            if (f"{p.form}-{p.variation}", p.seed) == (label, seed)
        )
        return study / "runs" / name

    return find


@pytest.fixture(scope="module")
def group(runs):
    def make(label, *seeds):
        return Group(label, tuple(read_record(runs(label, seed)) for seed in seeds))

    return make


def test_runs_that_differ_in_their_seed_alone_are_one_row(runs):
    paths = [runs(f"paper-{m}", s) for m, s in (("method3", 2), ("method2", 1), ("method3", 1))]
    text = compare(paths)
    lines = text.splitlines()
    assert lines[0].split() == [
        "run", "seeds", "sst", "accuracy", "para", "accuracy", "sts", "pearson", "s/epoch",
    ]  # fmt: skip
    assert lines[2].startswith(str(paths[0]))
    assert "1, 2" in lines[2]
    assert lines[3].startswith(str(paths[1]))
    assert "training.batching method3 method2" in " ".join(text.split())
    assert "seed " not in text.partition("setting")[2]


def test_the_same_seed_twice_is_no_repetition(runs):
    record = read_record(runs("paper-method3", 1))
    assert [len(g.records) for g in group_runs([record, record])] == [1, 1]


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


def test_two_seeds_of_one_configuration_make_one_table(runs):
    text = compare([runs("paper-sst", 1), runs("paper-sst", 2)])
    assert len(text.splitlines()) == 3
    assert "less" not in text


def test_what_is_no_finished_run_is_refused(runs, tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        compare([runs("paper-sst", 1), tmp_path])
    with pytest.raises(UserError, match="a run is named twice"):
        compare([runs("paper-sst", 1), runs("paper-sst", 1)])
