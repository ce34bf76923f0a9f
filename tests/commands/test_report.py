"""`mtbert report`: the files it writes about any runs, a study, and a study's export."""

import csv
import io
import json
import re

import pytest
from support.finished_runs import write_run
from support.studies import made_up, overrides
from support.toy import files_below

from mtbert.commands import report
from mtbert.commands.report import write_report
from mtbert.errors import UserError
from mtbert.studies import runner
from mtbert.studies.grid import cells, load_grid


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "runs" / "b" / "two", dev={"para": {"accuracy": 1.0, "f1": 1.0}})
    write_run(tmp_path / "runs" / "a <b>")
    return tmp_path / "runs"


@pytest.fixture
def part(course, tmp_path, monkeypatch):
    """A study of Method 2 and 3 in which one run is not finished."""
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.001)
    found = cells(load_grid("batching"), overrides(course, "seed=1"))
    runner.run_cells(found[:3], tmp_path / "part", launch=made_up)
    runner.Study(tmp_path / "part")._write_index(found)
    return tmp_path / "part"


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
    assert '<th scope="row">a &lt;b&gt;</th>' in html
    assert "Toy &lt;CPU&gt;" in html
    assert "a <b>" not in html
    svgs = re.findall(r"<svg.*?</svg>", html, re.S)
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert titles == ["sst: accuracy", "sts: pearson", "para: accuracy"]
    assert len(svgs) == 3
    assert "fill: currentColor" in html
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


def test_a_damaged_run_is_refused_before_anything_is_written(runs):
    (runs / "b" / "two" / "metrics.jsonl").unlink()
    with pytest.raises(UserError, match="two"):
        write_report(runs)
    assert not list(runs.glob("report.*"))


def test_files_are_written_beside_a_study_and_its_export(part, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "study_sections", lambda results, measured: [])
    names = {path.relative_to(part).as_posix() for path in write_report(part)}
    assert names == {"report.html", "report.md", "results.csv", "differences.csv"}
    from mtbert.cli import main

    assert main(["--quiet", "report", str(part), "--export", str(tmp_path / "docs")]) == 0
    written = {p.relative_to(tmp_path / "docs").as_posix() for p in files_below(tmp_path / "docs")}
    assert {"README.md", "results.csv", "differences.csv", "runs/study.json"} <= written
    assert len([name for name in written if name.startswith("runs/ours-")]) == 1


def test_a_study_without_a_finished_run_has_no_report(tmp_path):
    (tmp_path / "study.json").write_text('{"format": 1, "experiments": {}}')
    with pytest.raises(UserError, match="no run of this study is finished yet"):
        write_report(tmp_path)


@pytest.fixture
def own_study(tmp_path, monkeypatch):
    """A finished study of one task of one's own, from a grid of any name."""
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.001)

    def make(name, *variations):
        rows = "".join(f"{i},a text of {i},{'bad' if i % 2 else 'good'}\n" for i in range(20))
        (tmp_path / "reviews.csv").write_text("id,sentence,label\n" + rows)
        task = {"kind": "classification", "labels": ["bad", "fair", "good"]}
        task |= dict.fromkeys(("train", "dev"), "reviews.csv")
        tree = {"tasks": {"reviews": task}, "training": {"epochs": 1, "batch_size": 4}}
        (tmp_path / "base.yaml").write_text(json.dumps(tree))
        grid = {
            "title": "Mine",
            "forms": {"mine": {"base": "base.yaml"}},
            "variations": {variation: {} for variation in variations},
        }
        (tmp_path / f"{name}.yaml").write_text(json.dumps(grid))
        found = cells(load_grid(str(tmp_path / f"{name}.yaml")))
        runner.run_cells(found, tmp_path / "own", launch=made_up)
        return tmp_path / "own"

    return make


OF_THE_PAPER = re.compile(
    r"paper|reproduc|Quora|BERT-base|MiniLM|finding|Method [23]|PCGrad|SST|STS|Paraphrase|Table \d"
    r"|leaderboard|our recipe|141,506|1e-5",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    ("name", "variations"),
    [("mine", ["one", "two"]), ("batching", ["one"]), ("batching", ["method2", "method3"])],
)
def test_the_report_of_a_grid_of_ones_own_has_no_word_of_the_paper(own_study, name, variations):
    """Not even if the grid is called as one of the paper's, with variations of the same names."""
    written = write_report(own_study(name, *variations))
    assert {path.name for path in written} == {"report.html", "report.md", "results.csv"}
    for path in written:
        text = path.read_text("utf-8")
        assert not OF_THE_PAPER.findall(re.sub(r"method[23]|batching", "", text)), path
    markdown = written[1].read_text("utf-8")
    assert markdown.startswith("# Study\n\n")
    assert "## Mine" in markdown
    rows = re.sub(" +", " ", markdown)
    assert "| variation | reviews accuracy |" in rows
    assert all(f"| {variation} | 0." in rows for variation in variations)
