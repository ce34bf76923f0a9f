"""What is measured beside the paper's numbers, and which studies are about the paper."""

from dataclasses import replace

import pytest

from mtbert.paper.measured import measure
from mtbert.paper.tables import FINDINGS, TABLES, TASKS
from mtbert.studies.results import Results, load_results


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


@pytest.fixture(scope="module")
def measured(results):
    return measure(results)


def tables_of(places, records):
    return [found.table.number for found in measure(Results(places, records)).tables]


def test_a_study_is_about_the_tables_whose_variations_and_tasks_it_has(results):
    assert tables_of(results.places, results.records) == [1, 2, 3, 4]
    own = [replace(p, variation=f"my-{p.variation}") for p in results.places]
    assert tables_of(own, results.records) == []
    assert tables_of([], {}) == []
    other_tasks = {
        name: replace(r, summary=r.summary | {"dev": {"reviews": {"accuracy": 0.5}}})
        for name, r in results.records.items()
    }
    assert tables_of(results.places, other_tasks) == []
    batching = [p for p in results.places if p.experiment == "batching"]
    assert tables_of(batching, results.records) == [2]
    assert tables_of(batching, {}) == [2]  # nothing finished


def test_every_change_has_the_papers_number_and_ours_in_each_form(measured):
    assert [found.table for found in measured.tables] == list(TABLES)
    for found in measured.tables:
        assert [c.change for c in found.changes] == list(found.table.changes)
        assert all(
            list(c.ours) == ["paper", "ours"] and all(c.ours.values()) for c in found.changes
        )
    batching = measured.tables[1]
    paraphrase = next(c for c in batching.changes if c.change.task == "para")
    assert paraphrase.paper == pytest.approx(0.662 - 0.778)  # Table 2


def test_findings_are_judged_in_each_form_if_their_experiment_is_there(results, measured):
    assert [found.finding for found in measured.findings] == list(FINDINGS)
    assert all(list(found.judged) == ["paper", "ours"] for found in measured.findings)
    batching = [p for p in results.places if p.experiment == "batching"]
    few = measure(Results(batching, results.records))
    assert {found.finding.experiment for found in few.findings} == {"batching"}


def test_the_best_run_of_each_task_is_of_the_form_itself(results, measured):
    for form, best in measured.best.items():
        for task in TASKS:
            runs = {p.run for p in results.places if p.form == form}
            scores = [s for n in runs if (s := results.records[n].score(task)) is not None]
            assert best[task][0] == max(scores)
            assert results.records[best[task][1]].score(task) == max(scores)


def test_a_form_without_one_of_the_tasks_has_no_best(results):
    places = [p for p in results.places if p.variation == "sst+sts"]
    assert measure(Results(places, results.records)).best == {}
