"""The engines by the names of `--engine`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from mtbert.studies.engines.base import Engine
from mtbert.studies.engines.local import open_local
from mtbert.studies.engines.ray import open_ray

__all__ = ["ENGINES"]

ENGINES: dict[str, Callable[[int], AbstractContextManager[Engine]]] = {
    "local": open_local,
    "ray": open_ray,
}
"""Each takes how many runs work at once and is open for as long as they do."""
