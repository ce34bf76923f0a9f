"""The table of aggregators, the only module that names them."""

from __future__ import annotations

from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.aggregation.pcgrad import PCGrad
from mtbert.methods.aggregation.sum import Sum

__all__ = ["AGGREGATORS", "DEFAULT_AGGREGATOR"]

AGGREGATORS: tuple[type[GramAggregator], ...] = (Sum, PCGrad)

DEFAULT_AGGREGATOR: GramAggregator = Sum()
