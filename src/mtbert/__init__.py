"""One BERT for several sentence tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtbert.version import __version__

if TYPE_CHECKING:
    from mtbert.inference.ensemble import Ensemble
    from mtbert.inference.model import MultitaskModel
    from mtbert.model.encoders.base import Encoder
    from mtbert.training.optimizer import AdamW

__all__ = ["AdamW", "Encoder", "Ensemble", "MultitaskModel", "__version__"]

_HOMES = {
    "AdamW": "mtbert.training.optimizer",
    "Encoder": "mtbert.model.encoders.base",
    "Ensemble": "mtbert.inference.ensemble",
    "MultitaskModel": "mtbert.inference.model",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first needed, so that `import mtbert` is instant."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mtbert' has no attribute {name!r}")
