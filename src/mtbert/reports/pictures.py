"""A chart as a file of its own: title, drawing and legend, in colours for light and dark."""

from __future__ import annotations

import re
from html import escape

from mtbert.reports.charts import Chart

__all__ = ["picture"]

_TITLE, _LEGEND, _WIDTH = 24, 20, 360
_LIGHT = ("#0072b2", "#c44e00", "#007a58", "#b0528a", "#9a6a00", "#2f7fb8")
_DARK = ("#6cb8ee", "#ff9350", "#3ecfa4", "#e69cc8", "#f0b93a", "#9ad0f5")
_PAPER = {"light": ("#1f2328", "#ffffff"), "dark": ("#e6e9ee", "#14171b")}


def picture(chart: Chart) -> str:
    """The chart as an SVG that needs no style sheet; the reader's setting chooses its colours."""
    found = re.search(r'viewBox="0 0 \d+ (\d+)"', chart.svg)
    assert found is not None
    height = int(found[1])
    whole = _TITLE + height + (_LEGEND if chart.legend else 0)
    inner = chart.svg.replace("<svg ", f'<svg y="{_TITLE}" width="{_WIDTH}" height="{height}" ', 1)
    apart = _WIDTH / max(len(chart.legend), 1)
    legend = "".join(
        f'<rect class="s{style} dot" x="{8 + i * apart:.0f}" y="{whole - 15}" width="9" '
        f'height="9"/><text x="{21 + i * apart:.0f}" y="{whole - 6}">{escape(name)}</text>'
        for i, (name, style) in enumerate(chart.legend)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH * 1.5:g}" '
        f'viewBox="0 0 {_WIDTH} {whole}"><style>{_rules()}</style>'
        f'<rect class="paper" width="{_WIDTH}" height="{whole}"/>'
        f'<text x="8" y="16" font-weight="600">{escape(chart.title)}</text>{inner}{legend}</svg>\n'
    )


def _rules() -> str:
    shapes = (
        "text{font:12px system-ui,sans-serif;fill:currentColor}"
        ".grid{stroke:#8886;stroke-width:.5}.axis{stroke:currentColor;opacity:.6}"
        ".line{fill:none;stroke-width:2}"
    )
    dark = f"@media (prefers-color-scheme:dark){{{_colours(_DARK, *_PAPER['dark'])}}}"
    return shapes + _colours(_LIGHT, *_PAPER["light"]) + dark


def _colours(series: tuple[str, ...], ink: str, paper: str) -> str:
    lines = "".join(
        f".line.s{i}{{stroke:{colour}}}.dot.s{i}{{fill:{colour}}}"
        for i, colour in enumerate(series)
    )
    return f"svg{{color:{ink}}}.paper{{fill:{paper}}}{lines}"
