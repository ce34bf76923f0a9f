"""A soup: one network whose weights are the mean of several networks' weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.popart import rescale

__all__ = ["soup"]


@torch.no_grad()
def soup(networks: Sequence[MultitaskNetwork]) -> MultitaskNetwork:
    """The mean of all weights (Wortsman et al. 2022, Model soups), added up in float64.

    Where the scale of a target differs, a head is first brought to the first network's, by which
    its answers do not change: the mean is of what the heads compute in the labels' unit.

    Args:
        networks: of the same parts and shapes, at least one; they stay as they are.
    """
    mixed = copy.deepcopy(networks[0])
    weights = [_weights(network, networks[0]) for network in networks]
    for name, parameter in mixed.partition.all.items():
        total = sum((found[name] for found in weights), torch.zeros_like(weights[0][name]))
        parameter.copy_(total / len(weights))
    return mixed


def _weights(network: MultitaskNetwork, first: MultitaskNetwork) -> dict[str, Tensor]:
    """All weights of a network in float64, with heads on the scales of the first one's."""
    found = {name: p.detach().double() for name, p in network.partition.all.items()}
    for task, head in network.heads.items():
        scale = first.heads[task].scale
        if head.scale != scale:
            weight, bias = (f"heads.{task}.linear.{part}" for part in ("weight", "bias"))
            found |= {name: found[name].clone() for name in (weight, bias)}
            rescale(found[weight], found[bias], head.scale, scale)
    return found
