"""The report of one run: what is in it, and that nothing of the data escapes into the page."""

import json
import re
import shutil

import pytest

from mtbert.commands.report import write_report


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "my run")
    return tmp_path / "my run"


def page(run):
    write_report(run)
    return (run / "report.html").read_text("utf-8")


def test_the_page_has_every_part(run):
    html = page(run)
    titles = re.findall(r"<h2>(.*?)</h2>", html)
    assert titles == [
        "Learning", "Scores: sst", "Scores: para", "Scores: sts", "Data", "Settings",
        "Time and environment",
    ]  # fmt: skip
    assert "<h1>my run</h1>" in html
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    for scores in summary["dev"].values():
        metric, value = next(iter(scores.items()))
        shown = "undefined" if value is None else f"{value:.4f}"
        assert re.search(rf">{metric}</td><td>{shown}<", html)
    for part in (
        "Scores by class", "Rows by true class", "that are most wrong", "Gradient norm",
        "Cosines between", "Rows of the files", "sst: rows of each class",
        "sts: values", "Plan of an epoch", "training.batch_size",
    ):  # fmt: skip
        assert part in html


def test_it_is_one_file_that_loads_nothing(run):
    html = page(run)
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#)[^"' >]""", html)
    assert "<script" not in html


def test_texts_with_markup_are_shown_as_they_are(run):
    path = run / "evaluation.json"
    content = json.loads(path.read_text("utf-8"))
    (mistake, *_) = content["sets"]["sst"]["mistakes"]
    mistake["texts"] = ['<script>alert("1")</script> <img src=x onerror=y> & {{ 7 * 7 }}']
    path.write_text(json.dumps(content), "utf-8")
    html = page(run)
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &lt;img src=x" in html
    assert "{{ 7 * 7 }}" in html
    assert "<script" not in html
    assert "<img" not in html


def test_a_run_of_an_earlier_version_is_reported_from_its_predictions(run):
    before = page(run)
    (run / "evaluation.json").unlink()
    assert page(run) == before


def test_the_same_run_gives_the_same_page(run):
    assert page(run) == page(run)


def test_what_went_wrong_stands_at_the_head(run):
    path = run / "summary.json"
    summary = json.loads(path.read_text("utf-8"))
    clean = {"learned_nothing": [], "dominant_gradient": None}
    path.write_text(json.dumps(summary | clean), "utf-8")
    assert "learned nothing: all" not in page(run)
    faults = {"learned_nothing": ["sst"], "dominant_gradient": "sts"}
    path.write_text(json.dumps(summary | faults), "utf-8")
    head = page(run).partition("<h2>")[0]
    assert "Task sst has learned nothing: all its dev rows have the same answer." in head
    assert "The gradient of task sts was several times as long" in head
