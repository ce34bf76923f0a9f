"""Low-rank adaptation for each task (LoRA, Hu et al. 2021, section 4.1).

Shapes: N a layer's inputs, O its outputs, k the maps in it that are adapted, r the rank.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mtbert.config.sharing import LoRA
from mtbert.model.encoders.base import Encoder
from mtbert.model.layers import Linear
from mtbert.model.sharing.base import OwnPart
from mtbert.model.sharing.task_encoders import LinkedEncoders, linked

__all__ = ["LoRATrunk", "LowRank"]


class LowRank(OwnPart):
    """A shared linear layer with a task's low-rank change of its weight: (W + s B A) x + b.

    The layer may hold several maps side by side, as queries, keys and values; each that is adapted
    has an A and a B of its own, and one product serves them all.

    Attributes:
        linear: the shared layer.
        down: `[k * r, N]`, A of each adapted map.
        up: `[k, O / parts, r]`, B of each.
    """

    def __init__(
        self, linear: Linear, adapted: Sequence[int], parts: int, rank: int, scale: float
    ) -> None:
        """Adapt some of the maps of a layer.

        Args:
            linear: of which `parts` maps are the rows, one after the other.
            adapted: numbers of the maps.
            parts: how many maps the layer holds.
            rank: r.
            scale: s, alpha / r.
        """
        super().__init__()
        self.linear = linear
        self.adapted, self.parts, self.rank, self.scale = list(adapted), parts, rank, scale
        rows, width = linear.weight.shape
        self.down = nn.Parameter(torch.empty(len(adapted) * rank, width))
        self.up = nn.Parameter(torch.empty(len(adapted), rows // parts, rank))

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """A is normal, so that A x is about as large as x; B is zero: nothing changes at first."""
        self.down.normal_(0, 1 / math.sqrt(self.down.shape[1]), generator=generator)
        self.up.zero_()

    def weight(self) -> Tensor:
        """W + s B A, `[O, N]`."""
        return torch.addmm(self.linear.weight, self._spread_up(), self.down)

    def forward(self, x: Tensor) -> Tensor:
        """`[R, N]` → `[R, O]` in the dtype of x.

        Where W learns too, its gradient is computed anyway, and A's and B's follow from it: the sum
        of the weights then costs less than a path of its own. Where it does not, that path does.
        """
        if torch.is_grad_enabled() and not self.linear.weight.requires_grad:
            low = functional.linear(x, self.down.to(x.dtype))
            return torch.addmm(self.linear(x), low, self._spread_up().to(x.dtype).t())
        return functional.linear(x, self.weight().to(x.dtype), self.linear.bias.to(x.dtype))

    def _spread_up(self) -> Tensor:
        """s B, `[O, k * r]`: that of each map in its rows and columns, zero elsewhere."""
        count, rows, rank = self.up.shape
        spread = self.up.new_zeros(self.parts, rows, count, rank)
        for number, part in enumerate(self.adapted):
            spread[part, :, number] = self.scale * self.up[number]
        return spread.view(self.parts * rows, count * rank)


class LoRATrunk(LinkedEncoders):
    """Every task goes through the shared encoder with its own low-rank change of the weights."""

    def __init__(self, options: LoRA, encoder: Encoder, tasks: Sequence[str]) -> None:
        """Give each task its low-rank matrices in every layer."""
        super().__init__(encoder, tasks, lambda shared: _adapted(shared, options))

    def encoder_for(self, task: str | None) -> Encoder:
        """The shared encoder; a task's is a copy of it, with the changes added to the weights."""
        if task is None:
            return self.encoder
        plain = copy.deepcopy(self.encoder)
        with torch.no_grad():
            for path, part in self.by_task[task].named_modules():
                if isinstance(part, LowRank):
                    plain.get_parameter(f"{path}.weight").copy_(part.weight())
        return plain


def _adapted(encoder: Encoder, options: LoRA) -> Encoder:
    """An encoder whose layers have low-rank changes of their own."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    parts: dict[str, int] = {}
    for name in encoder.linear_maps:
        if name in options.maps:
            path, number, parts[path] = encoder.linear_maps[name]
            found[path].append(number)

    def adapted(layer: nn.Module) -> nn.Module:
        for path, numbers in found.items():
            linear = layer.get_submodule(path)
            assert isinstance(linear, Linear)
            scale = options.alpha / options.rank
            layer = _with_part(
                layer, path, LowRank(linear, numbers, parts[path], options.rank, scale)
            )
        return layer

    return linked(encoder, layers=nn.ModuleList(map(adapted, encoder.layers)))


def _with_part(module: nn.Module, path: str, part: nn.Module) -> nn.Module:
    """A module linked to another, in which `part` stands at a dotted path."""
    name, _, rest = path.partition(".")
    return linked(
        module, **{name: _with_part(module.get_submodule(name), rest, part) if rest else part}
    )
