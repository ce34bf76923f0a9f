"""The figures about the paper's experiments: which are drawn, and that they can be read."""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from mtbert.paper.figures import calibration_bins, figure_sections
from mtbert.studies.results import Results, load_results

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


@pytest.fixture(scope="module")
def figures(results):
    return {f.name: f for section in figure_sections(results) for f in section.blocks}


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
    drawn = {f.name: f for section in figure_sections(part) for f in section.blocks}
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
