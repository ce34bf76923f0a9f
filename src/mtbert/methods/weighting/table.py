"""The table of loss weightings, the only module that names them."""

from __future__ import annotations

from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.dynamic_average import DynamicAverage
from mtbert.methods.weighting.equal_norm import EqualNorm
from mtbert.methods.weighting.famo import FAMO
from mtbert.methods.weighting.fixed import Fixed
from mtbert.methods.weighting.gradnorm import GradNorm
from mtbert.methods.weighting.random import Random
from mtbert.methods.weighting.uncertainty import Uncertainty

__all__ = ["DEFAULT_WEIGHTING", "WEIGHTINGS"]

WEIGHTINGS: tuple[type[LossWeighting], ...] = (
    Fixed,
    Random,
    Uncertainty,
    DynamicAverage,
    GradNorm,
    EqualNorm,
    FAMO,
)

DEFAULT_WEIGHTING: LossWeighting = Fixed()
