"""The table of samplers, the only module that names them."""

from __future__ import annotations

from mtbert.methods.sampling.annealed import Annealed
from mtbert.methods.sampling.base import Sampler
from mtbert.methods.sampling.continued import Continued
from mtbert.methods.sampling.interleaved import Interleaved
from mtbert.methods.sampling.method1 import Method1
from mtbert.methods.sampling.method2 import Method2
from mtbert.methods.sampling.method3 import Method3
from mtbert.methods.sampling.proportional import Proportional
from mtbert.methods.sampling.round_robin import RoundRobin
from mtbert.methods.sampling.sequential import Sequential
from mtbert.methods.sampling.temperature import Temperature

__all__ = ["DEFAULT_SAMPLER", "SAMPLERS"]

SAMPLERS: tuple[type[Sampler], ...] = (
    Method1,
    Method2,
    Method3,
    Continued,
    Interleaved,
    RoundRobin,
    Proportional,
    Temperature,
    Annealed,
    Sequential,
)

DEFAULT_SAMPLER: Sampler = Method2()
