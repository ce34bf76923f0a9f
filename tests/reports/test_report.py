import csv
import io
import json
import re

import pytest

from mtbert.errors import UserError
from mtbert.reports.runs import read_runs, write_report

SUMMARY = {
    "dev": {"sst": {"accuracy": 0.5, "f1": 0.25}, "sts": {"pearson": None, "spearman": -0.125}},
    "others": {},
    "overall": 0.61,
    "mean": None,
    "best_epoch": 2,
    "seconds": 12.6,
    "seed": 7,
    "processor": "Toy <CPU>",
    "threads": 2,
    "precision": "fp32",
    "versions": {"mtbert": "0.1.0", "torch": "2.6"},
}


def write_run(folder, **changes):
    """The files of a finished run, as far as a report reads them."""
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY | changes))
    dev = [
        {"kind": "dev", "epoch": e, "step": e, "dev": (SUMMARY | changes)["dev"]} for e in (1, 2)
    ]
    lines = [{"kind": "train", "step": 1}, *dev]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


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


def test_html_markdown_and_csv_are_written(runs):
    written = write_report(runs)
    assert [path.name for path in written] == ["report.html", "report.md", "results.csv"]
    markdown = (runs / "report.md").read_text("utf-8")
    row = next(line for line in markdown.splitlines() if line.startswith("| a <b>"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "a <b>", "0.5000", "0.2500", "undefined", "-0.1250", "", "", "0.6100", "undefined", "2",
        "13",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((runs / "results.csv").read_text("utf-8"))))
    assert len(rows) == 6
    assert rows[0] | {"seconds": ""} == {
        "run": "a <b>", "seed": "7", "task": "sst", "metric": "accuracy", "value": "0.5",
        "best_epoch": "2", "seconds": "",
    }  # fmt: skip
    assert rows[2]["value"] == ""


def test_html_is_one_file_with_names_escaped_and_curves_that_follow_the_page(runs):
    write_report(runs)
    html = (runs / "report.html").read_text("utf-8")
    assert "<td>a &lt;b&gt;</td>" in html
    assert "Toy &lt;CPU&gt;" in html
    assert "<td>a <b></td>" not in html
    (svg,) = re.findall(r"<svg.*</svg>", html, re.S)
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert all(task in svg for task in ("sst", "sts", "para"))
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#)[^"']*""", html)
    assert not outside


def test_a_dollar_sign_in_a_name_is_one(tmp_path):
    write_run(tmp_path / "$\\frac{$")
    write_report(tmp_path)
    assert "$\\frac{$" in (tmp_path / "report.html").read_text("utf-8")


def test_the_same_runs_give_the_same_report(runs):
    first = [path.read_bytes() for path in write_report(runs)]
    assert [path.read_bytes() for path in write_report(runs)] == first


def test_many_runs_are_drawn(tmp_path):
    for i in range(9):
        write_run(tmp_path / f"run{i}")
    write_report(tmp_path)
    assert (tmp_path / "report.html").read_text("utf-8").count("run8") >= 2


def test_a_finished_run_is_reported(finished):
    written = write_report(finished)
    assert finished.name in written[0].read_text("utf-8")
    for path in written:
        path.unlink()


def test_a_folder_without_runs_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="no finished run below it"):
            write_report(folder)
    assert list(tmp_path.iterdir()) == []


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
        write_report(runs)
    assert not list(runs.glob("report.*"))
