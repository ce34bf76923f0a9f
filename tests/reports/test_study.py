"""What the report of any study holds, whatever its tasks and variations are called."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from mtbert.reports.document import Bullets
from mtbert.reports.study import (
    budget,
    csv_text,
    introduction,
    results_csv,
    runs_section,
    score_cell,
)
from mtbert.studies.results import Results, load_results


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


def test_csv_has_a_line_for_each_place_task_and_metric(results):
    rows = list(csv.DictReader(io.StringIO(results_csv(results))))
    assert len(rows) == 2 * sum(len(results.records[p.run].summary["dev"]) for p in results.places)


def test_the_introduction_counts_runs_and_tells_budgets(results):
    section = introduction(results)
    assert section.title == ""
    first, scores = section.blocks
    assert first.startswith("64 of 64 runs are finished. Paper: seeds 1, 2; 2 epochs")
    assert "95 %" not in scores
    section = introduction(results, {"ours": "my recipe"}, on_scores="More.", remarks=["One."])
    assert "My recipe: seeds 1, 2" in section.blocks[0]
    assert section.blocks[1] == f"{scores} More."
    assert section.blocks[2] == Bullets(["One."])


def test_what_is_missing_is_listed_in_short(results):
    names = list(dict.fromkeys(place.run for place in results.places))
    kept = {name: results.records[name] for name in names[10:]}
    found = introduction(Results(results.places, kept)).blocks
    assert found[0].startswith("54 of 64 runs are finished.")
    assert f"Missing: {', '.join(names[:8])} and 2 more." in found[1]


def test_one_answer_for_all_rows_is_explained_where_it_occurs(results):
    name, record = next(iter(results.records.items()))
    task, found = next(iter(record.predictions.items()))
    constant = replace(found, predicted=np.zeros_like(found.predicted))
    floor = replace(record, predictions={**record.predictions, task: constant})
    marked = Results(results.places, {**results.records, name: floor})
    (told,) = [b for b in introduction(marked, on_constant="So.").blocks[2:] if b.startswith("†")]
    assert told.endswith("So.")
    assert len(introduction(results).blocks) == 2


def test_a_budget_of_one_is_singular(results):
    one = [p for p in results.places if p.seed == 1]
    records = {n: replace(r, summary=r.summary | {"epochs": 1}) for n, r in results.records.items()}
    assert budget(Results(one, records), "ours", "batching") == "seed 1; 1 epoch"
    assert budget(Results(one, {}), "ours") == "no run is finished"
    assert "at most 3 steps an epoch (sst" in budget(results, "ours", "task-count")


def test_a_cell_says_why_it_has_no_score(results):
    place = ("batching", "ours", "method2")
    assert score_cell(Results(results.places, {}), *place, "sst") == "missing"
    assert score_cell(results, "batching", "ours", "other", "sst") == ""
    records = {
        n: replace(r, summary=r.summary | {"dev": {"sst": {"accuracy": None}}})
        for n, r in results.records.items()
    }
    assert score_cell(Results(results.places, records), *place, "sst") == "undefined"
    first = results.group(*place).records[0]
    part = Results(results.places, {first.name: first})
    assert score_cell(part, *place, "sst") == f"{first.score('sst'):.3f} (1 of 2 seeds)"


def test_every_run_and_each_machine_once_is_listed(results):
    _, machines, table = runs_section(results).blocks
    assert len(table.rows) == 64
    assert machines == Bullets(["Toy, 1 thread, fp32; mtbert 0, torch 2."])
    name, record = next(iter(results.records.items()))
    assert table.rows[0][0] == name
    assert table.rows[0][4] == f"{record.seconds_per_epoch:.1f}"


def test_csv_text_quotes_what_needs_it():
    assert csv_text(["a", "b"], [["x,y", 1.5]]) == 'a,b\n"x,y",1.5\n'
