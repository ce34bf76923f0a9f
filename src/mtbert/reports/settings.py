"""Settings as reports show them."""

from __future__ import annotations

from typing import Any

__all__ = ["shown_setting"]

_WIDEST = 80
"""Characters of a value."""


def shown_setting(value: Any) -> str:
    """A value in words, shortened; a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
