"""Inner products and weighted sums of the tasks' gradients, dense or with sparse rows.

A task's gradient is a list of one tensor a parameter, None where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import Parameter

__all__ = ["SharedGradients", "gram_matrix", "weighted_sum"]

Gradient = list[Tensor | None]

_SMALLEST_SQUARE = 1e-20
"""A sum of squares above it has lost nothing that counts to squares below float32's smallest,
1e-38, however many they are."""

_LARGEST_WEIGHT = 1e30
_PIECE = 1 << 20  # values that are widened at a time


class SharedGradients:
    """The tasks' gradients of the shared parameters, set aside one after the other."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = parameters
        self._gradients: list[Gradient] = []
        self._rows: dict[int, Tensor] | None = None
        self._used: set[int] = set()
        self._flat = _as_one_vector(parameters[0].device)

    def set_aside(self) -> None:
        """Take what lies in `.grad` as the next task's gradient."""
        found = [parameter.grad for parameter in self._parameters]
        self._used |= {k for k, gradient in enumerate(found) if gradient is not None}
        self._gradients.append([_one_vector(self._parameters, found)] if self._flat else found)
        for parameter in self._parameters:
            parameter.grad = None

    def gram(self) -> Tensor:
        """The Gram matrix of the tasks' gradients, `[tasks, tasks]`, float64."""
        self._align()
        return gram_matrix(self._gradients)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop the gradients of all rows of the Gram matrix but these."""
        self._gradients = [self._gradients[row] for row in rows]

    def hand_out(self, weights: Sequence[float]) -> None:
        """Let `.grad` be the sum of the tasks' gradients, each times its weight.

        Args:
            weights: `[tasks]`; the gradients are of no further use afterwards.
        """
        self._align()
        weighted_sum(self._gradients, weights)
        self._give_back()

    def combine(
        self, function: Callable[[Sequence[Tensor], Tensor], Tensor], uniforms: Generator
    ) -> None:
        """Let `.grad` be what a function makes of the tasks' gradients, one parameter at a time.

        Args:
            function: takes the gradients of the tasks that have one, and as many random numbers.
            uniforms: source of these numbers, on the gradients' device.
        """
        self._align()
        first = self._gradients[0]
        for k, parts in enumerate(zip(*self._gradients, strict=True)):
            if found := [part for part in parts if part is not None]:
                random = torch.rand(
                    found[0].shape, generator=uniforms, dtype=found[0].dtype,
                    device=found[0].device,
                )  # fmt: skip
                first[k] = function(found, random)
        self._give_back()

    def _align(self) -> None:
        """Give all tasks' gradients of a parameter the same rows, once."""
        if self._rows is None:
            self._rows = _share_rows(self._gradients)

    def _give_back(self) -> None:
        """Let `.grad` be what has become of the first task's gradient."""
        assert self._rows is not None
        if self._flat:
            _hand_out(self._parameters, self._gradients[0][0], self._used)
            return
        for k, (parameter, total) in enumerate(
            zip(self._parameters, self._gradients[0], strict=True)
        ):
            if total is not None and k in self._rows:
                total = torch.sparse_coo_tensor(
                    self._rows[k].unsqueeze(0),
                    total,
                    parameter.shape,
                    check_invariants=False,
                    is_coalesced=True,
                )
            parameter.grad = total


def gram_matrix(gradients: Sequence[Gradient]) -> Tensor:
    """Inner products of the tasks' gradients, `[tasks, tasks]`, float64; None counts as zero.

    They are summed in the gradients' own numbers. Of gradients whose squares are too large or too
    small for float32 (longer than 1e19, shorter than 1e-10), they are summed again in float64.
    """
    tasks = len(gradients)
    pairs = [(i, j) for i in range(tasks) for j in range(i, tasks)]
    products: dict[tuple[int, int], list[Tensor]] = {pair: [] for pair in pairs}
    # All pairs of one parameter before the next one: its gradients are in the cache then.
    for parts in zip(*gradients, strict=True):
        flat = [None if part is None else part.flatten() for part in parts]
        for i, j in pairs:
            if (a := flat[i]) is not None and (b := flat[j]) is not None:
                products[i, j].append(torch.dot(a, b))
    gram = torch.zeros(tasks, tasks, dtype=torch.float64)
    sums = [torch.stack(found).double().sum() for found in products.values() if found]
    known = [pair for pair, found in products.items() if found]
    # The one thing that is read from the device.
    for (i, j), value in zip(known, torch.stack(sums).tolist() if sums else [], strict=True):
        gram[i, j] = gram[j, i] = value
    squares = gram.diagonal()
    exact = (squares >= _SMALLEST_SQUARE) & squares.isfinite()
    for i, j in pairs:
        if not (exact[i] and exact[j] and gram[i, j].isfinite()):
            gram[i, j] = gram[j, i] = _wide_dot(gradients[i], gradients[j])
    return gram


def _wide_dot(a: Gradient, b: Gradient) -> float:
    """The inner product of two gradients in float64, a bounded piece at a time."""
    total = 0.0
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None:
            pieces = (x.flatten().split(_PIECE), y.flatten().split(_PIECE))
            for part, other in zip(*pieces, strict=True):
                total += torch.dot(part.double(), other.double()).item()
    return total


def _share_rows(gradients: Sequence[Gradient]) -> dict[int, Tensor]:
    """Sparse gradients → dense ones `[rows, W]` over the rows that any task touches, in place.

    Returns:
        Those rows, `[rows]`, by the parameter's number.
    """
    shared_rows: dict[int, Tensor] = {}
    for k, parts in enumerate(zip(*gradients, strict=True)):
        sparse = [part for part in parts if part is not None and part.is_sparse]
        if not sparse:
            continue
        rows = torch.unique(torch.cat([part._indices()[0] for part in sparse]))
        shared_rows[k] = rows
        for gradient, part in zip(gradients, parts, strict=True):
            if part is not None:
                dense = part._values().new_zeros(len(rows), part.shape[1])
                places = torch.searchsorted(rows, part._indices()[0])
                gradient[k] = dense.index_add_(0, places, part._values())
    return shared_rows


def weighted_sum(gradients: Sequence[Gradient], weights: Sequence[float]) -> None:
    """The weighted sum of the tasks' gradients, in place of the first one.

    A weight that is no float32, of a tiny gradient beside a huge one, is multiplied in float64.
    """
    first = gradients[0]
    for k, parts in enumerate(zip(*gradients, strict=True)):
        total: Tensor | None = None
        for part, weight in zip(parts, weights, strict=True):
            if part is None:
                continue
            if abs(weight) > _LARGEST_WEIGHT:
                part, weight = part.double().mul_(weight).to(part.dtype), 1.0
            if total is None:
                total = part if weight == 1 else part.mul_(weight)
            else:
                total.add_(part, alpha=weight)
        first[k] = total


def _as_one_vector(device: torch.device) -> bool:
    """Whether a task's shared gradient is set aside as one vector.

    On a GPU an inner product is then one kernel instead of one for every parameter. On a CPU
    parameters stay in the cache between the products, which counts for more than their number.
    """
    return device.type == "cuda"


def _one_vector(parameters: Sequence[Parameter], gradients: Gradient) -> Tensor:
    """`[values]`, one parameter after the other; zero where one has no gradient."""
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.to_dense().flatten()
            for p, g in zip(parameters, gradients, strict=True)
        ]
    )


def _hand_out(parameters: Sequence[Parameter], vector: Tensor | None, used: set[int]) -> None:
    """Let `.grad` of the parameters numbered in `used` be their parts of one vector."""
    assert vector is not None
    parts = vector.split([parameter.numel() for parameter in parameters])
    for k, (parameter, part) in enumerate(zip(parameters, parts, strict=True)):
        parameter.grad = part.view(parameter.shape) if k in used else None
