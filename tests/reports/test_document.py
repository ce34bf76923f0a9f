"""Sections → Markdown and HTML: what every kind of block becomes."""

import re
import sys

import pytest

from mtbert.errors import UserError
from mtbert.reports.document import Bullets, FigureBlock, Section, TableBlock, to_html, to_markdown

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
    assert "<caption>In points.</caption>" in html
    assert '<th scope="row">a|b</th><td class="left">sst</td><td>0.5</td>' in html
    assert "<li>two &amp; three</li>" in html
    assert SVG in html
    assert "<footer>A machine &amp; more</footer>" in html


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[report\]'"):
        to_html("T", [], "")
