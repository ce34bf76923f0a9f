"""Small SVG charts: where points lie, what is said of them, and what is left out."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.reports.charts import Series, line_chart, scatter_chart, ticks


def points_of(svg, tag="polyline"):
    """Pairs of every line, in order of appearance."""
    root = ET.fromstring(svg)
    return [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        for line in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    ]


def test_a_line_goes_from_the_left_to_the_right_and_up_where_values_rise():
    chart = line_chart("loss", [Series("train", [1, 2, 3], [1.0, 3.0, 2.0])], x_label="step")
    (line,) = points_of(chart.svg)
    xs, ys = zip(*line, strict=True)
    assert xs == pytest.approx([52, 197, 342])
    assert ys[0] > ys[2] > ys[1]  # y grows downwards
    assert chart.legend == []
    assert "train: 1 at first, 2 at the end" in chart.svg
    assert ">step</text>" in chart.svg


def test_a_missing_value_interrupts_the_line_and_a_lone_one_is_a_dot():
    values = [1.0, None, 2.0, 3.0, math.nan, math.inf]
    chart = line_chart("x", [Series("a", range(60), values + [None] * 54)])
    assert [len(line) for line in points_of(chart.svg)] == [2]
    assert chart.svg.count("<circle") == 1
    assert "nan" not in chart.svg
    assert "inf" not in chart.svg


def test_every_one_of_several_lines_is_in_the_legend_in_its_style():
    chart = line_chart("x", [Series(str(i), [0, 1], [i, i + 1]) for i in range(14)])
    assert chart.legend == [(str(i), i) for i in range(14)]
    styles = re.findall(r'<polyline class="(s\d) line"( stroke-dasharray="[\d ]+")?', chart.svg)
    assert len(set(styles)) == 14


def test_limits_hold_and_what_is_beyond_them_stays_at_the_edge():
    chart = line_chart("x", [Series("a", [0, 1], [5.0, 0.5])], limits=(0.0, 1.0))
    (line,) = points_of(chart.svg)
    assert line[0][1] == pytest.approx(10)
    assert line[1][1] == pytest.approx(103)


def test_without_a_value_there_is_an_empty_chart_that_says_so():
    chart = line_chart("x", [Series("a", [1], [None]), Series("b", [], [])])
    assert "a: no values; b: no values" in chart.svg
    assert not points_of(chart.svg)


def test_a_scatter_has_a_dot_for_each_pair_and_the_diagonal():
    chart = scatter_chart("answers", [(1900.0, 1910.0), (2000.0, 1990.0)], "label", "answer")
    assert chart.svg.count("<circle") == 2
    assert "stroke-dasharray" in chart.svg
    assert "2 points" in chart.svg


def test_names_are_escaped():
    chart = line_chart('<b> & "c"', [Series("<i>", [0, 1], [0, 1])], x_label="<u>")
    ET.fromstring(chart.svg)
    assert "<b>" not in chart.svg
    assert "<i>" not in chart.svg
    assert "<u>" not in chart.svg


def test_ticks_by_hand():
    assert ticks(0, 1, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(1900, 2100, 5) == pytest.approx([1900, 1950, 2000, 2050, 2100])
    assert ticks(-0.3, 0.3, 5) == pytest.approx([-0.2, 0, 0.2])


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_lie_within_and_are_few(low, width, most):
    high = low + width
    if high - low < 1e-9 * abs(low):
        return
    found = ticks(low, high, most)
    assert len(found) <= most + 1
    slack = 1e-6 * (high - low)
    assert all(low - slack <= value <= high + slack for value in found)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps)) if steps else True
