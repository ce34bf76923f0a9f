"""Summing gradients over processes, with the same bits on each.

Each process has the gradient of its shard of the batch; the weights of the examples are those of
the whole batch, so the sum is the gradient of the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtbert.distributed.processes import Processes

__all__ = ["sum_gradients"]

_NONE, _DENSE, _SPARSE = 0, 1, 2


def sum_gradients(
    processes: Processes,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    *,
    may_lack: bool,
) -> list[Tensor | None]:
    """The sum over the processes of each parameter's gradient; None where none has one.

    A sparse gradient becomes one over the rows that any process touches, so a vocabulary's
    costs a few hundred rows, and a byte for each row there is.

    Args:
        processes: all of which call this.
        parameters: the same everywhere.
        gradients: of the parameters, dense or with sparse rows; of no further use.
        may_lack: a process may have no gradient where another one has, since its shard is empty.
            This must be the same everywhere.
    """
    kinds = [_NONE if g is None else _SPARSE if g.is_sparse else _DENSE for g in gradients]
    if may_lack:
        kinds = processes.all_reduce_max(torch.tensor(kinds, dtype=torch.uint8)).tolist()
    rows: dict[int, Tensor] = {}
    dense: list[Tensor] = []
    for k, (parameter, gradient, kind) in enumerate(zip(parameters, gradients, kinds, strict=True)):
        if kind == _SPARSE:
            rows[k] = _touched(processes, parameter, gradient)
            dense.append(_on_rows(parameter, gradient, rows[k]))
        elif kind == _DENSE:
            dense.append(torch.zeros_like(parameter) if gradient is None else gradient)
    processes.all_reduce_sum(dense)
    summed = iter(dense)
    return [
        None
        if kind == _NONE
        else _sparse(parameter, rows[k], next(summed))
        if kind == _SPARSE
        else next(summed)
        for k, (parameter, kind) in enumerate(zip(parameters, kinds, strict=True))
    ]


def _touched(processes: Processes, parameter: Tensor, gradient: Tensor | None) -> Tensor:
    """Rows of the parameter that have a gradient in any process, ascending."""
    touched = torch.zeros(len(parameter), dtype=torch.uint8, device=parameter.device)
    if gradient is not None:
        touched[gradient._indices()[0]] = 1
    return processes.all_reduce_max(touched).nonzero().squeeze(1)


def _on_rows(parameter: Tensor, gradient: Tensor | None, rows: Tensor) -> Tensor:
    """A sparse gradient as a dense one of those rows."""
    dense = parameter.new_zeros(len(rows), *parameter.shape[1:])
    if gradient is not None:
        places = torch.searchsorted(rows, gradient._indices()[0])
        dense.index_add_(0, places, gradient._values())
    return dense


def _sparse(parameter: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    return torch.sparse_coo_tensor(
        rows.unsqueeze(0), values, parameter.shape, check_invariants=False, is_coalesced=True
    )
