"""The `format` of a task's files: how a table is written down, where that cannot be seen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mtbert.config.fields import Section

__all__ = ["SEPARATORS", "Encoding", "FormatSettings", "Quoting", "column_name"]

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
"""What stands between columns, by name."""

Quoting = Literal["standard", "none"]
Encoding = Literal["utf-8", "cp1252", "latin-1"]


def _separator(value: object) -> object:
    """The name of a separator, also if it is written as itself."""
    names = {character: name for name, character in SEPARATORS.items()}
    return names.get(value, value) if isinstance(value, str) else value


def column_name(value: object) -> object:
    """A column's name: without a header its place, which YAML reads as a number."""
    return str(value) if type(value) is int else value


class FormatSettings(Section):
    """How CSV and TSV files are written. What is left out is seen from the file."""

    separator: (
        Annotated[Literal["tab", "comma", "semicolon", "pipe"], BeforeValidator(_separator)] | None
    ) = Field(
        None,
        description="What stands between columns: `tab`, `comma`, `semicolon`, `pipe`, or the "
        "character itself. Default: a tab if the first line holds one, else the first of comma, "
        "semicolon and pipe that it holds; a line `sep=;` says it too.",
    )
    quoting: Quoting | None = Field(
        None,
        description="`standard`: a cell that opens with a quote ends with one, and quotes inside "
        "are doubled; `none`: quotes are text, as in most research files. Default: `none` where "
        "standard quoting would lose more rows than it reads, else `standard`.",
    )
    header: bool = Field(
        True,
        description="Whether the first line names the columns; if not, they are named 1, 2, 3, …",
    )
    encoding: Encoding = Field(
        "utf-8", description="`utf-8`, or what Excel and older programs write: `cp1252`, `latin-1`."
    )
    decimal: Literal["point", "comma"] = Field(
        "point", description="What stands before the decimals of a regression's labels."
    )

    @property
    def separating_character(self) -> str | None:
        """The separator itself, or None if the file says it."""
        return None if self.separator is None else SEPARATORS[self.separator]
