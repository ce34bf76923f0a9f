"""The `columns` of a task's files: where ids, texts and labels stand; several may make one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mtbert.config.fields import Section
from mtbert.config.format import column_name
from mtbert.errors import shown

__all__ = ["ColumnSettings", "JoinedColumns", "TextPlace", "columns_in", "text_at"]


@dataclass(frozen=True, slots=True)
class JoinedColumns:
    """Columns that make one text.

    Attributes:
        names: of the columns, in the order of the text.
        by: what stands between them.
    """

    names: tuple[str, ...]
    by: str


TextPlace = str | JoinedColumns
"""Where a text stands: in a column, or in several."""


def columns_in(place: TextPlace) -> tuple[str, ...]:
    """Names of the columns that a text is made of."""
    return (place,) if isinstance(place, str) else place.names


def text_at(place: TextPlace, values: Mapping[str, str]) -> str:
    """A text of a row, without white space at its ends; of several columns blank ones are left out.

    Raises:
        KeyError: the row lacks a column.
    """
    if isinstance(place, str):
        return values[place].strip()
    return place.by.join(text for name in place.names if (text := values[name].strip()))


def _column_or_several(value: object) -> object:
    """A column's name, or several; one in a list is the same as that one.

    Raises:
        ValueError: neither.
    """
    if not isinstance(value, (list, tuple)):
        return column_name(value)
    names = [column_name(name) for name in value]
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"expected a column or a list of columns, found {shown(value)}")
    if len(set(names)) < len(names):
        raise ValueError("names a column twice")
    return names[0] if len(names) == 1 else tuple(names)


ColumnName = Annotated[str, BeforeValidator(column_name)]
ColumnNames = Annotated[str | tuple[str, ...], BeforeValidator(_column_or_several)]


class ColumnSettings(Section):
    """Names of the columns of a task's files. A key inside a JSON object is `outer.inner`."""

    @property
    def id_column(self) -> str | None:
        """The column of the row ids, where a file has it; None: rows are numbered."""
        return None if self.id is False else self.id or "id"

    id: ColumnName | Literal[False] | None = Field(
        None,
        description="Column of the row id; `false`: none, rows are numbered. Default: `id` if "
        "there is one, else row numbers.",
    )
    text: ColumnNames | None = Field(
        None,
        description="Column of the text, or a list of columns that make one text together: "
        "`[title, body]`. Default: `sentence`, for pairs `sentence1`.",
    )
    text2: ColumnNames | None = Field(
        None, description="Column, or columns, of a pair's second text. Default: `sentence2`."
    )
    joined_by: Annotated[str, Field(max_length=64)] = Field(
        "\n",
        description="What stands between the columns of a text of several; blank columns are left "
        "out. Default: a new line.",
    )
    label: ColumnName = Field("label", description="Column of the label, or of the list of labels.")
    labels: tuple[ColumnName, ...] | None = Field(
        None,
        description="For several labels: instead of one column of lists, a column for each label "
        "that says 1 or 0, true or false, yes or no.",
    )
