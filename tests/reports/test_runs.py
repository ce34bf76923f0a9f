"""Finished runs of a folder: which are found, what is read of them, and what is refused."""

import pytest
from support.finished_runs import write_run

from mtbert.errors import UserError
from mtbert.reports.runs import read_runs


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "runs" / "b" / "two", dev={"para": {"accuracy": 1.0, "f1": 1.0}})
    write_run(tmp_path / "runs" / "a <b>")
    return tmp_path / "runs"


def test_runs_are_found_at_any_depth_in_the_order_of_their_names(runs):
    assert [run.name for run in read_runs(runs)] == ["a <b>", "b/two"]
    (run,) = read_runs(runs / "b" / "two")
    assert run.name == "two"
    assert [record["epoch"] for record in run.dev] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", "{"),
        ("summary.json", "[]"),
        ("summary.json", "{}"),
        ("summary.json", '{"dev": {"sst": {"accuracy": 1}}}'),
        ("summary.json", '{"dev": {"sst": 3}}'),
        ("metrics.jsonl", "{"),
        ("metrics.jsonl", "[]"),
        ("metrics.jsonl", "{}"),
        ("metrics.jsonl", None),
        ("summary.json", "[" * 100_000),
        ("metrics.jsonl", "[" * 100_000),
        ("metrics.jsonl", '{"kind": "dev"}'),
        ("metrics.jsonl", '{"kind": "dev", "epoch": 1, "dev": {"sst": {}}}'),
    ],
)
def test_a_damaged_run_is_refused_by_name(runs, name, content):
    file = runs / "b" / "two" / name
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(UserError, match="two"):
        read_runs(runs)
