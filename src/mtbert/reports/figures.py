"""Charts: matplotlib → SVG that takes the text colour of the page around it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mtbert.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "DASHES", "GREY", "Curve", "curves", "render", "tidy"]

# Okabe and Ito's colours, which colour-blind readers can tell apart; dashes help further.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
GREY = "#888888"

_MARKER = "#010203"  # replaced by currentColor

Curve = tuple[str, Sequence[float], Sequence[float], dict[str, Any]]
"""Label, x, y, style."""


def render(draw: Callable[[Figure], None], width: float, height: float) -> str:
    """What `draw` draws on a figure of this size in inches, as SVG.

    Text and axes have the colour `currentColor`, so that one image serves dark and light pages.

    Raises:
        UserError: the extra `report` is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("report: needs matplotlib; run: pip install 'mtbert[report]'") from None
    style: dict[Any, Any] = {"svg.fonttype": "none", "font.size": 11, "svg.hashsalt": "mtbert"}
    style["text.parse_math"] = False  # so that a dollar sign in a name stays one
    style |= dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], _MARKER
    )
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].replace(_MARKER, "currentColor")


def curves(panels: Sequence[tuple[str, str, Sequence[Curve]]], x_label: str) -> str:
    """Line charts side by side, one per (title, y label, curves), with one legend below."""
    labels = list(dict.fromkeys(curve[0] for _, _, lines in panels for curve in lines))
    width = 1.2 + 3.4 * len(panels)
    columns = max(1, min(len(labels), int(width * 10 / (4 + max(map(len, labels), default=1)))))
    rows = -(-len(labels) // columns)

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for panel, (title, y_label, lines) in zip(axes, panels, strict=True):
            for label, x, y, style in lines:
                panel.plot(x, y, **({"marker": "o", "markersize": 3.5} | style), label=label)
            panel.set(title=title, xlabel=x_label, ylabel=y_label)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            tidy(panel)
        handles = {h.get_label(): h for panel in axes for h in panel.get_lines()}
        figure.legend(
            [handles[label] for label in labels],
            labels,
            loc="outside lower center",
            frameon=False,
            ncols=columns,
        )

    return render(draw, width, 3.6 + 0.24 * rows)


def tidy(panel: Axes) -> None:
    """Remove the box around a panel and draw a faint grid."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_axisbelow(True)
    panel.grid(alpha=0.25)
