"""The data section of a run's report."""

import json

import pytest

from mtbert.config.load import load_config
from mtbert.errors import UserError
from mtbert.reports.document import Fold, TableBlock
from mtbert.reports.run_data import data_section, read_profiles


@pytest.fixture
def run(finished):
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    return summary, load_config(str(finished / "config.yaml"))


def tables(section):
    return {b.caption: b for b in section.blocks if isinstance(b, TableBlock)}


def test_every_set_has_its_rows_lengths_and_labels(run):
    summary, settings = run
    found = tables(data_section(summary, settings))
    rows = {tuple(row[:2]): row[2:] for row in found["Rows of the files"].rows}
    assert set(rows) == {(t, s) for t in ("sst", "para", "sts") for s in ("train", "dev")}
    assert rows["sst", "train"][0] == f"{summary['examples']['sst/train']:,}"
    assert len(found["Tokens of an example"].rows) == 6
    classes = found["sst: rows of each class"]
    assert classes.headers == ["class", "share of train", "train", "dev"]
    for column, part in ((2, "train"), (3, "dev")):
        assert sum(int(row[column]) for row in classes.rows) == summary["examples"][f"sst/{part}"]
    assert [row[0] for row in found["sts: values"].rows] == ["train", "dev"]
    plan = {row[0]: row[1:] for row in found["Plan of an epoch"].rows}
    assert plan["sts"][0] == f"{summary['examples']['sts/train']:,}"


def test_many_classes_are_folded(run):
    summary, settings = run
    names = {f"c{i}": i for i in range(77)}
    tokens = {"mean": 1, "median": 1, "p95": 1, "longest": 1}
    summary = summary | {"data": {"sst/train": {"tokens": tokens, "cut": 0, "classes": names}}}
    (fold,) = [b for b in data_section(summary, settings).blocks if isinstance(b, Fold)]
    assert fold.title == "sst: rows of each class (77)"
    assert len(fold.blocks[0].rows) == 77


def test_a_run_of_an_earlier_version_has_no_profile(run):
    summary, settings = run
    del summary["data"]
    assert set(tables(data_section(summary, settings))) == {"Rows of the files", "Plan of an epoch"}


@pytest.mark.parametrize("data", [[], 3, {"sst/train": {}}, {"sst/train": {"tokens": "x"}}])
def test_a_damaged_profile_is_refused(data):
    with pytest.raises(UserError, match=r"summary\.json: data: damaged"):
        read_profiles({"data": data})
