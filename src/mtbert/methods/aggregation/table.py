"""The table of aggregators, the only module that names them."""

from __future__ import annotations

from mtbert.methods.aggregation.agem import AGEM
from mtbert.methods.aggregation.aligned_mtl import AlignedMTL
from mtbert.methods.aggregation.base import Aggregator, GramAggregator
from mtbert.methods.aggregation.cagrad import CAGrad
from mtbert.methods.aggregation.gem import GEM
from mtbert.methods.aggregation.graddrop import GradDrop
from mtbert.methods.aggregation.gradvac import GradVac
from mtbert.methods.aggregation.imtl_g import IMTLG
from mtbert.methods.aggregation.mgda import MGDA
from mtbert.methods.aggregation.nash_mtl import NashMTL
from mtbert.methods.aggregation.pcgrad import PCGrad
from mtbert.methods.aggregation.sum import Sum
from mtbert.methods.aggregation.upgrad import UPGrad

__all__ = ["AGGREGATORS", "DEFAULT_AGGREGATOR"]

AGGREGATORS: tuple[type[Aggregator], ...] = (
    Sum,
    PCGrad,
    GradVac,
    UPGrad,
    MGDA,
    CAGrad,
    IMTLG,
    NashMTL,
    AlignedMTL,
    GradDrop,
    GEM,
    AGEM,
)

DEFAULT_AGGREGATOR: GramAggregator = Sum()
