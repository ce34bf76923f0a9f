"""The report of a study: what stands in its tables, and pictures that can be read."""

import csv
import io
import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from support.studies import made_up, overrides
from support.toy import files_below

from mtbert.errors import UserError
from mtbert.paper.figures import calibration_bins, study_figures
from mtbert.paper.tables import TABLES
from mtbert.reports import runs
from mtbert.reports import study as study_report
from mtbert.reports.runs import write_report
from mtbert.reports.study import changes_csv, results_csv, sections
from mtbert.studies import runner
from mtbert.studies.grid import cells, load_grid
from mtbert.studies.results import Results, load_results

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


@pytest.fixture(scope="module")
def figures(results):
    return {f.name: f for section in study_figures(results) for f in section.blocks}


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr(study_report, "study_figures", lambda results: [])


@pytest.fixture
def part(course, tmp_path, monkeypatch):
    """A study of Method 2 and 3 in which one run is not finished."""
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.001)
    found = cells(load_grid("batching"), overrides(course, "seed=1"))
    runner.run_cells(found[:3], tmp_path / "part", launch=made_up)
    runner.Study(tmp_path / "part")._write_index(found)
    return tmp_path / "part"


def section(results, start):
    return next(s for s in sections(results) if s.title.startswith(start))


def test_a_table_has_the_papers_number_and_ours_side_by_side(results, without_figures):
    scores, changes = section(results, "Table 2").blocks
    row = next(r for r in scores.rows if r[:2] == ["Method 3 (finish smallest)", "Paraphrase"])
    values = results.group("batching", "ours", "method3").scores("para")
    assert row[2] == "0.662"
    assert row[4] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    change = next(r for r in changes.rows if r[1] == "Paraphrase")
    assert change[2] == "-0.116"  # 0.662 - 0.778
    assert re.fullmatch(r"[+-]0\.\d{3} \[[+-]0\.\d{3}, [+-]0\.\d{3}\]", change[3])
    assert "seeds 1, 2; 2 epochs" in scores.caption


def test_all_of_the_papers_tables_are_there(results, without_figures):
    titles = [s.title for s in sections(results)]
    for number in range(1, 6):
        assert any(title.startswith(f"Table {number}") for title in titles)
    assert "Which of the paper's findings hold here" in titles
    assert "Where the paper contradicts itself" in titles


def test_limits_and_departures_are_told_beside_the_numbers(results, without_figures):
    assert "at most 3 steps an epoch (sst" in section(results, "Table 3").blocks[0].caption
    text = " ".join(section(results, "").blocks[-1].lines)
    assert "Encoder: all-MiniLM-L6-v2" in text
    assert "saw Quora question pairs in its own training" in text
    assert "Quora: 40 training pairs, not 141,506" in text
    assert "Epochs: 2, not 10" in text


def test_the_leaderboard_takes_the_best_run_of_each_task(results, without_figures):
    ours = section(results, "Table 5").blocks[0].rows[-1]
    for cell, task in zip(ours[1:4], ("sst", "para", "sts"), strict=True):
        best = max(
            s
            for name, r in results.records.items()
            if name.startswith("ours") and (s := r.score(task)) is not None
        )
        assert cell.startswith(f"{best:.3f} (ours-")
    sst, para, sts = (float(cell.split()[0]) for cell in ours[1:4])
    assert float(ours[4]) == pytest.approx((sst + para + (sts + 1) / 2) / 3, abs=1.1e-3)


def test_what_is_missing_is_marked(part, without_figures):
    results = load_results(part)
    assert len(results.missing) == 1
    texts = section(results, "").blocks
    assert texts[0].startswith("3 of 4 runs are finished.")
    assert results.missing[0] in texts[1]
    scores, changes = section(results, "Table 2").blocks
    assert [r[4] for r in scores.rows if r[0].startswith("Method 3")] == ["missing"] * 3
    assert {r[4] for r in changes.rows} == {"missing"}
    assert "Our recipe: seed 1; 2 epochs" in scores.caption


def test_findings_are_those_of_the_experiments_run(part, without_figures):
    table = section(load_results(part), "Which of").blocks[1]
    assert [row[0] for row in table.rows] == [
        "Method 3 costs paraphrase accuracy.",
        "Method 3 is a little better for SST and STS.",
    ]


def test_scores_of_runs_that_have_learned_nothing_are_marked(results, without_figures):
    name = results.group("batching", "ours", "method3").records[0].name
    record = results.records[name]
    rows = replace(record.rows["sst"], predicted=np.full_like(record.rows["sst"].gold, 3))
    floor = replace(record, rows={**record.rows, "sst": rows})
    marked = Results(results.places, {**results.records, name: floor})
    scores, _ = section(marked, "Table 2").blocks
    cells = {(r[0], r[1]): r[3:] for r in scores.rows}
    assert cells["Method 3 (finish smallest)", "SST"][1].endswith(" †")
    others = [c for key, row in cells.items() if key[1] != "SST" for c in row]
    assert not any("†" in cell for cell in others)
    assert study_report._CONSTANT in section(marked, "").blocks
    assert study_report._CONSTANT not in section(results, "").blocks


def test_csv_has_a_line_for_each_place_task_and_metric(results):
    rows = list(csv.DictReader(io.StringIO(results_csv(results))))
    assert len(rows) == 2 * sum(len(results.records[p.run].summary["dev"]) for p in results.places)
    changes = list(csv.DictReader(io.StringIO(changes_csv(results))))
    assert len(changes) == 2 * sum(len(table.changes) for table in TABLES)
    for row in changes:
        assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])


def test_files_are_written_beside_a_study_and_its_export(part, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "sections", lambda results: [])
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


def test_every_figure_is_there_and_takes_the_colour_of_the_page(figures):
    assert set(figures) == {
        *(f"{kind}-{form}" for kind in ("durations", "learning-curves", "gradients")
          for form in ("paper", "ours")),
        "confusion-sst", "scatter-sts", "calibration-para",
    }  # fmt: skip
    for name, figure in figures.items():
        root = ET.fromstring(figure.svg)
        texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
        assert len(texts) > 5, name
        assert "currentColor" in figure.svg
        assert "#010203" not in figure.svg
        assert figure.caption


@pytest.mark.parametrize(
    ("experiment", "names", "panels"),
    [
        (
            "task-count",
            {"durations", "learning-curves", "gradients", "confusion", "scatter", "calibration"},
            {"cosine of two tasks' gradients"},
        ),
        ("gradient-surgery", {"gradients"}, {"steps in which PCGrad acts"}),
    ],
)
def test_a_study_of_one_experiment_has_what_its_runs_show(results, experiment, names, panels):
    places = [p for p in results.places if (p.experiment, p.form) == (experiment, "ours")]
    part = Results(places, {p.run: results.records[p.run] for p in places})
    drawn = {f.name: f for section in study_figures(part) for f in section.blocks}
    assert {re.sub("-(ours|sst|sts|para)$", "", name) for name in drawn} == names
    gradients = drawn["gradients-ours"]
    titles = {"cosine of two tasks' gradients", "steps in which PCGrad acts"}
    assert {t for t in titles if t in gradients.svg} == panels
    assert ("PCGrad changed" in gradients.caption) == (experiment == "gradient-surgery")
    if "learning-curves-ours" in drawn:
        assert "all three, Method 3" in drawn["learning-curves-ours"].svg


def test_tick_labels_of_an_axis_do_not_touch(figures):
    """Labels side by side: as many digits as the font is wide, and a space between them."""
    for name, figure in figures.items():
        for labels in horizontal_ticks(ET.fromstring(figure.svg)):
            labels.sort()
            for (x, text), (next_x, next_text) in itertools.pairwise(labels):
                room = next_x - x
                assert room > 3.2 * (len(text) + len(next_text)), (name, text, next_text)


def horizontal_ticks(root):
    """For each axis below a panel: where its labels are, and the longest line of each."""
    for group in root.iter(f"{SVG}g"):
        if re.fullmatch(r"matplotlib\.axis_\d*[13579]", group.get("id", "")):
            labels = []
            for tick in group:
                lines = []
                for text in tick.iter(f"{SVG}text") if "xtick" in tick.get("id", "") else ():
                    moved = re.search(r"translate\(([-\d.]+)", text.get("transform") or "")
                    x = text.get("x") or (moved and moved.group(1))
                    if x is not None:
                        lines.append((float(x), "".join(text.itertext()).strip()))
                if lines:
                    labels.append(max(lines, key=lambda line: len(line[1])))
            yield labels


def test_calibration_by_hand():
    """Bins of a tenth: 0.05 (one row, false), 0.95 and 0.97 (one of two true)."""
    told, true, counts, error = calibration_bins(np.array([0, 1, 0]), np.array([0.05, 0.95, 0.97]))
    assert told == pytest.approx([0.05, 0.96])
    assert true == pytest.approx([0, 0.5])
    assert counts.tolist() == [1, 2]
    assert error == pytest.approx((0.05 + 2 * 0.46) / 3)
