"""What the report of any study holds, whatever its tasks and variations are called."""

import csv
import io

import pytest

from mtbert.reports.study import results_csv
from mtbert.studies.results import load_results


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


def test_csv_has_a_line_for_each_place_task_and_metric(results):
    rows = list(csv.DictReader(io.StringIO(results_csv(results))))
    assert len(rows) == 2 * sum(len(results.records[p.run].summary["dev"]) for p in results.places)
