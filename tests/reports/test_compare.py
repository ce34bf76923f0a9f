"""Runs side by side: which are one group, and what the numbers beside them are."""

import pytest

from mtbert.errors import UserError
from mtbert.reports.compare import compare, group_runs
from mtbert.studies.folder import read_places
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


def test_two_seeds_of_one_configuration_make_one_table(runs):
    text = compare([runs("paper-sst", 1), runs("paper-sst", 2)])
    assert len(text.splitlines()) == 3
    assert "less" not in text


def test_what_is_no_finished_run_is_refused(runs, tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        compare([runs("paper-sst", 1), tmp_path])
    with pytest.raises(UserError, match="a run is named twice"):
        compare([runs("paper-sst", 1), runs("paper-sst", 1)])
