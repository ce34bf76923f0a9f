"""Sections → Markdown and HTML: what every kind of block becomes."""

import re
import sys

import pytest

from mtbert.errors import UserError
from mtbert.reports.charts import Series, line_chart
from mtbert.reports.document import (
    Bullets,
    ChartsBlock,
    Example,
    ExamplesBlock,
    FigureBlock,
    Fold,
    Section,
    TableBlock,
    to_html,
    to_markdown,
)

SVG = '<svg><text fill="currentColor">a</text></svg>'
SECTIONS = [
    Section("", ["Some <words>."]),
    Section(
        "Scores",
        [
            TableBlock("In points.", ["run", "task", "score"], [["a|b", "sst", "0.5"]], left=2),
            Bullets(["one", "two & three"]),
            FigureBlock("curves", "A curve.", SVG),
        ],
    ),
]


def test_markdown_has_a_heading_a_table_a_list_and_two_pictures():
    text, files = to_markdown("Results", SECTIONS)
    assert text.startswith("# Results\n\nSome <words>.\n\n## Scores\n\nIn points.\n\n| run ")
    row = text.partition("| run")[2].splitlines()[2]
    assert re.fullmatch(r"\| a\|b +\| sst +\| +0\.5 \|", row)  # text left, numbers right
    assert "\n\n- one\n- two & three\n\n" in text
    assert text.endswith("A curve.\n")
    assert sorted(files) == ["curves-dark.svg", "curves-light.svg"]
    assert "currentColor" not in files["curves-dark.svg"] + files["curves-light.svg"]
    assert files["curves-dark.svg"] != files["curves-light.svg"]
    for name in files:
        assert f'"figures/{name}"' in text


def test_an_empty_caption_and_title_leave_no_gap():
    text, _ = to_markdown("T", [Section("", [TableBlock("", ["a"], [["b"]])])])
    assert text.splitlines()[:3] == ["# T", "", "| a   |"]


def test_html_escapes_words_and_holds_the_picture_itself():
    html = to_html("Results <1>", SECTIONS, "A machine & more")
    assert "<h1>Results &lt;1&gt;</h1>" in html
    assert "<p>Some &lt;words&gt;.</p>" in html
    assert "<figcaption>In points.</figcaption>" in html
    assert '<th scope="row">a|b</th><td class="left">sst</td><td>0.5</td>' in html
    assert "<li>two &amp; three</li>" in html
    assert SVG in html
    assert "<footer>A machine &amp; more</footer>" in html


def test_cells_have_the_colour_of_their_shade():
    table = TableBlock("", ["", "a", "b"], [["x", "1", "3"]], shades=[[0, 0.2, 0.8]])
    html = to_html("T", [Section("", [table])], "")
    assert '<td class="shade" style="--shade: 10%">1</td>' in html
    assert '<td class="shade" style="--shade: 40%">3</td>' in html
    assert "| x  |   1 |   3 |" in to_markdown("T", [Section("", [table])])[0]


def test_folds_and_charts_of_a_page_and_of_its_text():
    chart = line_chart("A <chart>", [Series("one", [1, 2], [1, 2]), Series("two", [1], [3])])
    blocks = [Fold("More <here>", ["Inside.", ChartsBlock("Charts.", [chart])])]
    html = to_html("T", [Section("", blocks)], "")
    assert "<summary>More &lt;here&gt;</summary>" in html
    assert "<figcaption>A &lt;chart&gt;</figcaption><svg" in html
    assert '<span class="key s1"></span>two' in html
    text, files = to_markdown("T", [Section("", blocks)])
    assert text == "# T\n\n### More <here>\n\nInside.\n"
    assert files == {}


def test_examples_show_their_texts_as_they_are():
    block = ExamplesBlock("Worst.", [Example(["<b>one</b>", "two"], [("label", "<good>")])])
    html = to_html("T", [Section("", [block])], "")
    assert '<p class="text">&lt;b&gt;one&lt;/b&gt;</p><p class="text">two</p>' in html
    assert "<span>label <b>&lt;good&gt;</b></span>" in html


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[report\]'"):
        to_html("T", [], "")
