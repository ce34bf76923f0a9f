"""Bar charts: shares of a whole, one name below the other."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from mtbert.reports.charts import Chart, svg

__all__ = ["share_chart"]

_LEFT, _RIGHT, _ROW = 8, 300, 38


def share_chart(title: str, shares: Mapping[str, float]) -> Chart:
    """Shares from 0 to 1, each with its name above its bar and its value behind it."""
    parts = []
    for place, (name, share) in enumerate(shares.items()):
        top = place * _ROW
        width = max(share, 0.0) * (_RIGHT - _LEFT)
        parts += [
            f'<text x="{_LEFT}" y="{top + 14}">{escape(name)}</text>',
            f'<rect class="s0 dot" x="{_LEFT}" y="{top + 19}" width="{width:.1f}" height="10"/>',
            f'<text x="{_LEFT + width + 6:.1f}" y="{top + 28}">{share:.2f}</text>',
        ]
    told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    return Chart(title, svg(f"{title}: {told}", parts, len(shares) * _ROW + 4))
