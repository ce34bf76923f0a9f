"""The report of a grid of any name: scores with intervals, differences, settings, curves, time."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mtbert.reports.document import ChartsBlock, Fold, TableBlock
from mtbert.reports.grid import experiment_section, shared_settings
from mtbert.studies.groups import difference, score_interval
from mtbert.studies.results import Results, load_results


@pytest.fixture(scope="module")
def results(study):
    """One form of the experiment on batching, as one's own."""
    found = load_results(study)
    places = [
        replace(place, experiment="mine", title="My title")
        for place in found.places
        if place.experiment == "batching" and place.form == "ours"
    ]
    return Results(places, {place.run: found.records[place.run] for place in places})


def table(section, caption):
    (found,) = [
        block for block in section.blocks
        if isinstance(block, TableBlock) and block.caption.startswith(caption)
    ]  # fmt: skip
    return found


def test_a_cell_for_each_variation_and_task_has_mean_deviation_and_interval(results):
    section = experiment_section(results, "mine")
    assert section.title == "My title"
    found = table(section, "Variations and tasks")
    assert found.headers[0] == "variation"
    column = found.headers.index("sts pearson")
    assert [row[0] for row in found.rows] == results.variations("mine")
    group = results.group("mine", "ours", "method2")
    values, known = group.scores("sts"), score_interval(group, "sts")
    cell = next(row for row in found.rows if row[0] == "method2")[column]
    low, high = known.low, min(known.high, 1)
    shown = f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} [{low:.3f}, {high:.3f}]"
    assert cell == shown


def test_variations_are_compared_with_the_first(results):
    found = table(experiment_section(results, "mine"), "Differences from")
    first, *others = results.variations("mine")
    assert found.caption.startswith(f"Differences from {first};")
    assert [row[0] for row in found.rows] == others
    groups = [results.group("mine", "ours", name) for name in (others[0], first)]
    known = difference(*groups, found.headers[1])
    assert f"{known.mean:+.3f} [{known.low:+.3f}, {known.high:+.3f}]" in found.rows[0][1]
    assert ("▲" in found.rows[0][1]) == (known.low > 0)
    assert ("▼" in found.rows[0][1]) == (known.high < 0)


def test_settings_that_differ_stand_beside_each_other_and_the_others_once(results):
    section = experiment_section(results, "mine")
    found = table(section, "Settings in which")
    column = next(i for i, key in enumerate(found.headers) if key.startswith("training.batching"))
    assert [row[column] for row in found.rows] == results.variations("mine")
    assert "seed" not in found.headers
    (fold,) = shared_settings(results).blocks
    assert isinstance(fold, Fold)
    shared = dict(fold.blocks[0].rows)
    assert not set(shared) & {"seed", *found.headers}
    assert shared["training.batch_size"] == "4"


def test_each_task_has_a_curve_for_each_variation(results):
    (block,) = [b for b in experiment_section(results, "mine").blocks if isinstance(b, ChartsBlock)]
    assert [chart.title for chart in block.charts][-1].startswith("sts: ")
    for chart in block.charts:
        assert [name for name, _ in chart.legend] == results.variations("mine")
    records = results.group("mine", "ours", "method2").records
    end = np.mean([record.curve[-1]["dev"]["sts"]["pearson"] for record in records])
    assert f"{end:.4g} at the end" in block.charts[-1].svg


def test_times_are_means_over_seeds(results):
    found = table(experiment_section(results, "mine"), "Time")
    group = results.group("mine", "ours", "method2")
    row = next(row for row in found.rows if row[0] == "method2")
    assert row[1] == ", ".join(map(str, group.seeds))
    assert row[3] == f"{np.mean([r.seconds_per_epoch for r in group.records]):.1f}"


def test_of_several_forms_the_name_tells_which(study):
    section = experiment_section(load_results(study), "batching")
    names = [row[0] for row in table(section, "Variations and tasks").rows]
    assert all(re.match(r"(paper|ours): ", name) for name in names)


def test_what_is_not_finished_has_a_place(results):
    first = results.group("mine", "ours", "method2").records[0]
    section = experiment_section(Results(results.places, {first.name: first}), "mine")
    rows = {row[0]: row[1:] for row in table(section, "Variations and tasks").rows}
    assert set(rows) == set(results.variations("mine"))
    others = [cells for name, cells in rows.items() if name != "method2"]
    assert all(cell == "missing" for cells in others for cell in cells)
    assert all("(1 of 2 seeds)" in cell for cell in rows["method2"])
    assert len(section.blocks) == 3  # nothing to compare


def test_a_single_variation_is_not_compared(results):
    places = [place for place in results.places if place.variation == "method2"]
    section = experiment_section(Results(places, results.records), "mine")
    assert not [b for b in section.blocks if getattr(b, "caption", "").startswith("Differences")]


def test_an_interval_stays_within_what_the_metric_can_be(results):
    scores = iter([0.99, 0.2])
    places = [place for place in results.places if place.variation == "method2"]
    records = {
        p.run: replace(r, summary=r.summary | {"dev": {"sst": {"accuracy": next(scores)}}})
        for p in places
        for r in [results.records[p.run]]
    }
    section = experiment_section(Results(places, records), "mine")
    ((_, cell),) = table(section, "Variations and tasks").rows
    assert cell.endswith("[0.000, 1.000]")


def test_a_variation_keeps_its_colour_where_it_has_no_score(results):
    name = results.variations("mine")[0]
    records = dict(results.records)
    for record in results.group("mine", "ours", name).records:
        curve = [p | {"dev": p["dev"] | {"sts": {"pearson": None}}} for p in record.curve]
        records[record.name] = replace(record, curve=curve)
    section = experiment_section(Results(results.places, records), "mine")
    (block,) = [b for b in section.blocks if isinstance(b, ChartsBlock)]
    assert len({tuple(chart.legend) for chart in block.charts}) == 1
