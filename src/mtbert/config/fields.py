"""Building blocks of configuration sections: value types, and the names they may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from mtbert.io.bounded import expanded

__all__ = [
    "DEV_SET_NAME",
    "LARGEST_LABEL",
    "TASK_NAME",
    "Bytes",
    "FileName",
    "Section",
    "file_name",
    "share_of",
]

TASK_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
"""What a task may be called; names become names of files."""

DEV_SET_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""What a dev set may be called; in the name of a file it stands behind its task's."""

LARGEST_LABEL = 3.4e38
"""Labels of a regression are float32 in training; a larger one would be infinite."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def written(self) -> dict[str, Any]:
        """As plain values from which it is read back equal: None where it is not the default."""
        tree: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None and field.default is not None:
                tree[name] = None
            elif isinstance(value, Section):
                tree[name] = value.written()
            elif isinstance(value, Mapping):
                tree[name] = {
                    key: part.written() if isinstance(part, Section) else part
                    for key, part in value.items()
                }
        return tree


def file_name(text: str) -> str:
    """A name that a file can have on every system that mtbert runs on; `~` is the user's folder.

    Raises:
        ValueError: it holds a NUL, or is longer than names can be.
    """
    parts = [len(part.encode("utf-8", "replace")) for part in text.split("/")]
    if "\0" in text or sum(parts) > 2048 or max(parts) > 255:
        raise ValueError("not a name that a file can have")
    return str(expanded(text)) if text.startswith("~") else text


FileName = Annotated[str, AfterValidator(file_name)]


def share_of(text: str | tuple[str, ...]) -> float | None:
    """A percentage as a share of one: `12.5%` is 0.125; None for any other text, or several."""
    if not isinstance(text, str):
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?%", text.strip(), re.ASCII)
    return None if found is None else float(found[1]) / 100


_UNITS = {
    unit: base**power
    for power, letter in enumerate(("", "k", "m", "g", "t"))
    for unit, base in ((f"{letter}b", 1000), (f"{letter}ib" if letter else "", 1024))
}


def _bytes(value: object) -> object:
    """A number of bytes, also as text with a unit: `500MB`, `1.5 GiB`.

    Raises:
        ValueError: neither.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Za-z]*)", str(value).strip(), re.ASCII)
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(
            "expected bytes, as a whole number or with a unit: 500MB, 8GB (of 1000), 8GiB (of 1024)"
        )
    return int(Fraction(found[1]) * _UNITS[found[2].lower()])


Bytes = Annotated[int, BeforeValidator(_bytes)]
