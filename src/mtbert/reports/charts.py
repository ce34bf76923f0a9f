"""Small charts as SVG, without a library: each is as wide as a phone, so that text stays readable.

Lines and marks have classes `s0` to `s5` and text `currentColor`: the page's style sheet colours
them for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Chart", "Series", "line_chart", "scatter_chart", "svg"]

_WIDTH, _HEIGHT = 360, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 342, 10, 196
_STYLES = 6
_DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name and points; a y that is None or not finite interrupts it.

    Without `joined` the points stand alone.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    joined: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        title: above it.
        svg: the drawing.
        legend: names of its lines with the number of their style; empty for a single line.
    """

    title: str
    svg: str
    legend: Sequence[tuple[str, int]] = ()


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "epoch",
    limits: tuple[float, float] | None = None,
) -> Chart:
    """Lines over one axis.

    Args:
        title: of the chart.
        series: the lines.
        x_label: of the horizontal axis.
        limits: of the vertical axis; by default those of the points.
    """
    points = [_known(line) for line in series]
    xs = [x for line in points for x, _ in line] or [0.0]
    ys = [y for line in points for _, y in line] or [0.0]
    whole = all(float(x).is_integer() for x in xs)
    axes = _Axes((min(xs), max(xs)), limits or (min(ys), max(ys)), whole=whole)
    parts = [axes.draw(x_label)]
    for number, line in enumerate(series):
        parts.append(_line(axes, line, number, marks=len(line.x) <= 40))
    told = "; ".join(
        _in_words(line.name, found) for line, found in zip(series, points, strict=True)
    )
    legend = [(line.name, i) for i, line in enumerate(series)] if len(series) > 1 else []
    return Chart(title, svg(f"{title} by {x_label}. {told}", parts), legend)


def scatter_chart(title: str, points: Sequence[tuple[float, float]], x: str, y: str) -> Chart:
    """Points, and the diagonal on which x and y are equal."""
    ends = [value for point in points for value in point] or [0.0]
    axes = _Axes((min(ends), max(ends)), (min(ends), max(ends)))
    (low, high) = axes.x_limits
    diagonal = (
        f'<line class="axis" stroke-dasharray="4 3" x1="{axes.x(low):.1f}" y1="{axes.y(low):.1f}" '
        f'x2="{axes.x(high):.1f}" y2="{axes.y(high):.1f}"/>'
    )
    dots = "".join(
        f'<circle class="s0 dot" cx="{axes.x(a):.1f}" cy="{axes.y(b):.1f}" r="2.5"/>'
        for a, b in points
    )
    told = f"{title}: {len(points)} points, {y} against {x}"
    return Chart(title, svg(told, [axes.draw(x), diagonal, dots]))


class _Axes:
    """Where values lie on the drawing."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], *, whole: bool = False
    ) -> None:
        self.x_limits, self.y_limits = _wide(x), _wide(y, 0.04)
        self._whole = whole  # whether only whole numbers make sense on the horizontal axis

    def x(self, value: float) -> float:
        low, high = self.x_limits
        return _LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        low, high = self.y_limits
        place = min(max((value - low) / (high - low), 0.0), 1.0)
        return _BOTTOM - place * (_BOTTOM - _TOP)

    def draw(self, x_label: str) -> str:
        """Grid, numbers and the name of the horizontal axis."""
        parts = []
        for value in ticks(*self.y_limits, 5):
            y = self.y(value)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_text(value)}</text>'
            )
        across = [v for v in ticks(*self.x_limits, 6) if v.is_integer() or not self._whole]
        for value in across:
            x = self.x(value)
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_BOTTOM}" y2="{_BOTTOM + 4}"/>'
            )
            parts.append(
                f'<text x="{x:.1f}" y="{_BOTTOM + 17}" text-anchor="middle">{_text(value)}</text>'
            )
        parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
        )
        middle = (_LEFT + _RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        )
        return "".join(parts)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two values, at most so many and one more."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _wide(limits: tuple[float, float], margin: float = 0.0) -> tuple[float, float]:
    low, high = limits
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-12):
        half = abs(low) / 10 or 1.0
        return low - half, high + half
    return low - margin * (high - low), high + margin * (high - low)


def _known(line: Series) -> list[tuple[float, float]]:
    return [
        (x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None and math.isfinite(y)
    ]


def _line(axes: _Axes, line: Series, number: int, *, marks: bool) -> str:
    style, dash = f"s{number % _STYLES}", _DASHES[number // _STYLES % len(_DASHES)]
    pieces: list[list[str]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if y is None or not math.isfinite(y):
            pieces.append([])
        else:
            pieces[-1].append(f"{axes.x(x):.1f},{axes.y(y):.1f}")
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    drawn = "".join(
        f'<polyline class="{style} line"{dashes} points="{" ".join(piece)}"/>'
        for piece in pieces
        if len(piece) > 1 and line.joined
    )
    dots = "".join(
        f'<circle class="{style} dot" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2.5"/>'
        for piece in pieces
        for p in piece
        if marks or len(piece) == 1 or not line.joined
    )
    return drawn + dots


def _in_words(name: str, points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return f"{name}: no values"
    return f"{name}: {points[0][1]:.4g} at first, {points[-1][1]:.4g} at the end"


def _text(value: float) -> str:
    if value == 0:
        return "0"
    return (
        f"{value:.4g}"
        if 1e-4 <= abs(value) < 1e5
        else f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    )


def svg(told: str, parts: Sequence[str], height: int = _HEIGHT) -> str:
    """A drawing as wide as every chart; `told` is what it shows, in words."""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(told)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
