"""Charts as files of their own."""

from xml.etree import ElementTree

from mtbert.reports.bars import share_chart
from mtbert.reports.charts import Series, line_chart
from mtbert.reports.pictures import picture


def test_a_picture_holds_title_drawing_and_legend_and_all_lies_inside():
    chart = line_chart("a <b>", [Series("one", [1, 2], [1, 2]), Series("two", [1, 2], [2, 1])])
    tree = ElementTree.fromstring(picture(chart))
    texts = [text.text for text in tree.findall(".//{*}text")]
    assert texts[0] == "a <b>"
    assert texts[-2:] == ["one", "two"]
    height = float(tree.get("viewBox").split()[3])
    inner = tree.find("{*}svg")
    legend = tree.findall("{*}text")[-1]
    assert float(inner.get("y")) + float(inner.get("height")) <= float(legend.get("y")) - 9
    assert float(legend.get("y")) < height
    assert "prefers-color-scheme:dark" in tree.find("{*}style").text


def test_a_chart_without_a_legend_has_none():
    tree = ElementTree.fromstring(picture(share_chart("shares", {"a": 0.5, "b": 0.5})))
    assert len(tree.findall("{*}rect")) == 1  # the paper
