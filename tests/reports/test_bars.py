"""Bars of shares."""

import re
from xml.etree import ElementTree

from mtbert.reports.bars import share_chart


def test_bars_are_as_long_as_their_shares_and_told_in_words():
    chart = share_chart("importance", {"a <b>": 0.75, "c": 0.25, "d": 0.0})
    tree = ElementTree.fromstring(chart.svg)
    widths = [float(bar.get("width")) for bar in tree.findall(".//{*}rect")]
    assert widths[0] == 3 * widths[1] > 0 == widths[2]
    assert "a <b> 0.75, c 0.25, d 0.00" in tree.get("aria-label")
    texts = [text.text for text in tree.findall(".//{*}text")]
    assert texts == ["a <b>", "0.75", "c", "0.25", "d", "0.00"]
    bottom = max(
        float(bar.get("y")) + float(bar.get("height")) for bar in tree.findall(".//{*}rect")
    )
    assert bottom <= float(re.split(" ", tree.get("viewBox"))[3])
