"""The paper's numbers: that they name places of the grids, and where they disagree."""

import pytest

from mtbert.paper.tables import DURATIONS, TABLES, contradictions
from mtbert.studies.results import load_results


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


def test_the_papers_numbers_name_places_of_the_grids(results):
    for table in TABLES:
        variations = results.variations(table.experiment)
        assert {v for row in table.rows for v in row.variations.values()} == set(variations)
        for change in table.changes:
            assert {change.before, change.after} <= set(variations)
            assert table.score(change.before, change.task) is not None
    assert {v for _, variations in DURATIONS for v in variations} == set(
        results.variations("task-count")
    )


def test_the_papers_contradictions_are_found():
    """Read off Tables 3 and 4: SST + STS 0.489 and 0.512, SST + paraphrase 0.501 and 0.520."""
    found = contradictions()
    assert "SST + STS: SST 0.489 in Table 3, 0.512 in Table 4" in found
    assert "SST + Paraphrase: SST 0.501 in Table 3, 0.520 in Table 4" in found
