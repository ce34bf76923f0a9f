"""A report as data: sections of text, tables and figures → Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from mtbert.errors import UserError
from mtbert.reports.charts import Chart

__all__ = [
    "Bullets",
    "ChartsBlock",
    "Example",
    "ExamplesBlock",
    "FigureBlock",
    "Fold",
    "Section",
    "TableBlock",
    "to_html",
    "to_markdown",
]

_DARK, _LIGHT = "#e6edf3", "#1f2328"  # text colours of the two themes of code hosts


@dataclass(frozen=True, slots=True)
class TableBlock:
    """Cells as text; the first `left` columns are left-aligned, the others right-aligned.

    `shades`, as many as there are cells, are from 0 to 1: how strong the colour behind each is.
    """

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    shades: Sequence[Sequence[float]] = ()


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A chart as SVG, whose text and axes have the colour `currentColor`."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A bulleted list."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class ChartsBlock:
    """Small charts side by side, as many as the page has room for. Not in Markdown."""

    caption: str
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Example:
    """An example of the data: its texts, and facts about it as (name, value)."""

    texts: Sequence[str]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ExamplesBlock:
    """Examples one below the other, each with its texts in full width. Not in Markdown."""

    caption: str
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are shown when their title is opened; in Markdown they follow it."""

    title: str
    blocks: Sequence[Block]


Block = str | Bullets | TableBlock | FigureBlock | ChartsBlock | ExamplesBlock | Fold


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks below it; a plain string is a paragraph."""

    title: str
    blocks: Sequence[Block]


def to_markdown(title: str, sections: Sequence[Section]) -> tuple[str, dict[str, str]]:
    """The text, and the figures by file name, each in a dark and a light version.

    The text refers to them in the folder `figures` beside it.
    """
    parts: list[str] = [f"# {title}"]
    files: dict[str, str] = {}
    for section in sections:
        if section.title:
            parts.append(f"## {section.title}")
        _add_markdown(section.blocks, parts, files)
    return "\n\n".join(parts) + "\n", files


def _add_markdown(blocks: Sequence[Block], parts: list[str], files: dict[str, str]) -> None:
    for block in blocks:
        match block:
            case str():
                parts.append(block)
            case Bullets(lines):
                parts.append("\n".join(f"- {line}" for line in lines))
            case TableBlock(caption, headers, rows, left, _):
                align = ["left"] * left + ["right"] * (len(headers) - left)
                table = tabulate(rows, headers, "github", disable_numparse=True, colalign=align)
                parts.append(f"{caption}\n\n{table}".lstrip())
            case FigureBlock(name, caption, svg):
                files[f"{name}-dark.svg"] = svg.replace("currentColor", _DARK)
                files[f"{name}-light.svg"] = svg.replace("currentColor", _LIGHT)
                parts.append(_picture(name, caption))
            case Fold(title, inner):
                parts.append(f"### {title}")
                _add_markdown(inner, parts, files)
            case ExamplesBlock() | ChartsBlock():
                pass


def to_html(title: str, sections: Sequence[Section], footer: str) -> str:
    """One self-contained file.

    Raises:
        UserError: the extra `report` is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError:
        raise UserError(
            "report: needs jinja2 and matplotlib; run: pip install 'mtbert[report]'"
        ) from None
    environment = Environment(loader=PackageLoader("mtbert.reports", "templates"), autoescape=True)
    kinds = {
        "bullets": Bullets,
        "table": TableBlock,
        "figure": FigureBlock,
        "charts": ChartsBlock,
        "examples": ExamplesBlock,
        "fold": Fold,
    }
    environment.tests |= {
        name: lambda block, kind=kind: isinstance(block, kind) for name, kind in kinds.items()
    }
    environment.filters["at_least"] = _width_to_scroll
    template = environment.get_template("report.html")
    return template.render(title=title, sections=sections, footer=footer)


def _width_to_scroll(svg: str) -> str:
    """A width below which a wide figure scrolls in its box, since its text would be too small."""
    width = re.search(r'width="([\d.]+)pt"', svg)
    return f"{float(width[1]) * 0.95:.0f}px" if width else "0"


def _picture(name: str, caption: str) -> str:
    return (
        '<picture>\n<source media="(prefers-color-scheme: dark)" '
        f'srcset="figures/{name}-dark.svg">\n'
        f'<img alt="{caption}" src="figures/{name}-light.svg">\n</picture>\n\n{caption}'
    )
