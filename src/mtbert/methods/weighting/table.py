"""The table of loss weightings, the only module that names them."""

from __future__ import annotations

from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.fixed import Fixed

__all__ = ["DEFAULT_WEIGHTING", "WEIGHTINGS"]

WEIGHTINGS: tuple[type[LossWeighting], ...] = (Fixed,)

DEFAULT_WEIGHTING: LossWeighting = Fixed()
