"""Pictures: SVG whose colours follow the page, the same for the same data."""

import re
import sys

import pytest

from mtbert.errors import UserError
from mtbert.reports.figures import COLOURS, DASHES, curves, render, tidy

LINES = [("first", [1, 2, 3], [0.1, 0.2, 0.3], {"color": COLOURS[0]}),
         ("second", [1, 2, 3], [0.3, float("nan"), 0.1], {"linestyle": DASHES[1]})]  # fmt: skip


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_each_panel_has_its_title_and_the_legend_stands_once():
    svg = curves([("sst", "accuracy", LINES), ("sts", "pearson", LINES[:1])], "epoch")
    found = texts(svg)
    assert [found.count(word) for word in ("sst", "sts", "accuracy", "pearson")] == [1] * 4
    assert [found.count(label) for label in ("first", "second")] == [1, 1]
    assert found.count("epoch") == 2
    assert COLOURS[0].lower() in svg


def test_text_and_axes_take_the_colour_of_the_page():
    svg = curves([("sst", "accuracy", LINES)], "epoch")
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "#000000" not in svg


def test_the_same_data_give_the_same_picture():
    first, again = (curves([("sst", "accuracy", LINES)], "epoch") for _ in range(2))
    assert first == again
    assert "<dc:date>" not in first


def test_a_panel_is_tidied_and_has_the_size_asked_for():
    def draw(figure):
        panel = figure.subplots()
        panel.plot([0, 1], [0, 1])
        tidy(panel)
        assert not panel.spines["top"].get_visible()
        assert not panel.spines["right"].get_visible()

    svg = render(draw, 5, 2)  # inches of 72 points
    assert re.search(r'width="360pt" height="144pt"', svg)


def test_colours_and_dashes_together_tell_many_curves_apart():
    assert len(set(COLOURS)) == len(COLOURS) >= 6
    pairs = {(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]) for i in range(12)}
    assert len(pairs) == 12


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[report\]'"):
        render(lambda figure: None, 1, 1)
