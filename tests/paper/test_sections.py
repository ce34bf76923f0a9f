"""What stands in the sections about the paper, and in which studies they stand."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from support.studies import made_up, overrides

from mtbert.commands.report import study_sections
from mtbert.paper.measured import measure
from mtbert.paper.sections import ON_CONSTANT, changes_csv
from mtbert.paper.tables import TABLES
from mtbert.reports import study as study_report
from mtbert.studies import runner
from mtbert.studies.grid import cells, load_grid
from mtbert.studies.results import Results, load_results


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr("mtbert.paper.figures.figure_sections", lambda results: [])


@pytest.fixture
def part(course, tmp_path, monkeypatch):
    """A study of Method 2 and 3 in which one run is not finished."""
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.001)
    found = cells(load_grid("batching"), overrides(course, "seed=1"))
    runner.run_cells(found[:3], tmp_path / "part", launch=made_up)
    runner.Study(tmp_path / "part")._write_index(found)
    return tmp_path / "part"


def section(results, start):
    return next(s for s in study_sections(results, measure(results)) if s.title.startswith(start))


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
    titles = [s.title for s in study_sections(results, measure(results))]
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
    rows = replace(
        record.predictions["sst"], predicted=np.full_like(record.predictions["sst"].gold, 3)
    )
    floor = replace(record, predictions={**record.predictions, "sst": rows})
    marked = Results(results.places, {**results.records, name: floor})
    scores, _ = section(marked, "Table 2").blocks
    cells = {(r[0], r[1]): r[3:] for r in scores.rows}
    assert cells["Method 3 (finish smallest)", "SST"][1].endswith(" †")
    others = [c for key, row in cells.items() if key[1] != "SST" for c in row]
    assert not any("†" in cell for cell in others)
    told = f"{study_report._CONSTANT} {ON_CONSTANT}"
    assert told in section(marked, "").blocks
    assert told not in section(results, "").blocks


def test_csv_has_a_line_for_each_change_and_form(results):
    changes = list(csv.DictReader(io.StringIO(changes_csv(measure(results)))))
    assert len(changes) == 2 * sum(len(table.changes) for table in TABLES)
    for row in changes:
        assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])


def test_an_experiment_of_ones_own_beside_the_papers_has_a_section_and_no_say(
    results, without_figures
):
    """Its epochs are not said to depart from the paper's, and its scores stand in a plain table."""
    own = [
        replace(p, experiment="mine", title="My own", run=f"my-{p.run}")
        for p in results.places
        if p.experiment == "batching"
    ]
    mine = {
        f"my-{name}": replace(r, summary=r.summary | {"epochs": 77})
        for name, r in results.records.items()
    }
    both = Results([*results.places, *own], results.records | mine)
    titles = [s.title for s in study_sections(both, measure(both))]
    assert titles.index("My own") > titles.index("Table 5: leaderboard")
    lines = section(both, "").blocks[-1].lines
    assert any(line.startswith("Epochs: 2, not 10.") for line in lines)
    *_, table = section(both, "My own").blocks[:3]  # after what each of the two forms ran on
    assert table.headers[:2] == ["variation", "sst accuracy"]
