"""The report of a search: what stands in it, and its table as CSV."""

import csv
import io

import pytest

from mtbert.reports.document import ChartsBlock, TableBlock, to_html
from mtbert.reports.search import search_sections, trials_csv
from mtbert.studies.search.trials import Outcome, SearchTrial


def made(number, outcome, score=None, epochs=None, reason="", **values):
    return SearchTrial(number, outcome, values, score, epochs or {}, f"t{number}", reason)


TRIALS = [
    made(0, Outcome.FINISHED, 0.5, {1: 0.4, 2: 0.5}, rate=1e-4, way={"name": "pcgrad"}),
    made(1, Outcome.FAILED, reason="no <memory>", rate=1e-2, way=None),
    made(2, Outcome.FINISHED, 0.75, {1: 0.75}, rate=1e-3, way=None),
    made(3, Outcome.PRUNED, epochs={1: 0.2, 2: 0.3}, reason="stopped after epoch 2", rate=1.0),
    made(4, Outcome.FINISHED, 0.6, {1: 0.6}, rate=2e-3, way=None),
]


def blocks(**changes):
    given = {"importances": {"rate": 0.9, "way": 0.1}, "lower_is_better": False, **changes}
    first, second = search_sections(TRIALS, "sst.accuracy", **given)
    return first.blocks, second.blocks


def test_the_best_trial_is_named_with_its_values():
    first, _ = blocks()
    assert first[0] == (
        "5 trials, compared by sst.accuracy: 3 finished, 1 failed, 1 pruned. The best is trial 2 "
        "with 0.7500."
    )
    table = next(block for block in first if isinstance(block, TableBlock))
    assert table.rows == [["rate", "0.001"], ["way", "-"]]
    assert "trial 0 with 0.5000" in blocks(lower_is_better=True)[0][0]


@pytest.mark.parametrize(("lower", "end"), [(False, 0.75), (True, 0.5)])
def test_the_history_ends_at_the_best_and_shows_every_trial(lower, end):
    charts = next(b for b in blocks(lower_is_better=lower)[0] if isinstance(b, ChartsBlock)).charts
    history, importance = charts
    assert f"best so far: 0.5 at first, {end} at the end" in history.svg
    assert [name for name, _ in history.legend] == ["best so far", "finished", "stopped early"]
    assert history.svg.count('class="s1 dot"') == 3
    assert history.svg.count('class="s2 dot"') == 1
    assert history.svg.count("<polyline") == 1
    assert "rate 0.90, way 0.10" in importance.svg


def test_without_importances_there_is_no_picture_of_them():
    charts = next(b for b in blocks(importances={})[0] if isinstance(b, ChartsBlock)).charts
    assert len(charts) == 1


def test_the_table_has_a_row_for_each_trial_with_why_it_ended():
    (table,) = blocks()[1]
    assert [*table.headers] == ["trial", "score", "rate", "way", "outcome"]
    assert table.rows[1] == ["1", "", "0.01", "-", "no <memory>"]
    assert table.rows[3] == ["3", "", "1.0", "", "stopped after epoch 2"]
    assert len(table.rows) == 5


def test_the_csv_has_a_row_for_each_trial():
    rows = list(csv.DictReader(io.StringIO(trials_csv(TRIALS))))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert rows[2]["score"] == "0.75"
    assert (rows[3]["outcome"], rows[3]["epochs"]) == ("pruned", "2")
    assert rows[1]["reason"] == "no <memory>"


def test_the_page_escapes_what_it_shows():
    sections = search_sections(TRIALS, "sum", {}, lower_is_better=False)
    html = to_html("Search", sections, "here")
    assert "no &lt;memory&gt;" in html
    assert "no <memory>" not in html
