"""Per-task gradients, their Gram matrix, and their weighted sum.

Tasks are taken one after the other: forward, backward, and the graph is gone before the next one
begins. Gradients add up where they are, unless the aggregator needs their inner products: each
task's shared gradient is then set aside (one copy a task), and the Gram matrix decides the weights
of the sum.

Each of several processes takes a shard of each batch. A task's gradient is summed over them before
it is set aside, for the projection of a sum is not the sum of projections; otherwise one summation
at the end is enough.

Nothing here waits for a GPU but the reading of the Gram matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import Parameter

from mtbert.batch import TokenBatch, move
from mtbert.data.batches import ExampleSource
from mtbert.distributed.all_reduce import sum_gradients
from mtbert.distributed.processes import ALONE, Processes
from mtbert.methods.aggregation.base import Aggregator, CoordinateAggregator, GramAggregator
from mtbert.methods.aggregation.table import DEFAULT_AGGREGATOR
from mtbert.methods.base import MethodState
from mtbert.methods.sampling.base import SuperBatch, TaskBatch, followed
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.class_weights import example_weights
from mtbert.objectives.table import example_losses
from mtbert.training.gram import SharedGradients
from mtbert.training.growth import GradientGrowth

__all__ = [
    "GradientOptions",
    "StepGradients",
    "compute_gradients",
    "total_norm",
]


@dataclass(frozen=True, slots=True)
class StepGradients:
    """What is known after the backward passes of one step.

    Attributes:
        losses: mean loss of each task's batch, before any weight; scalars on the device.
        gram: `[tasks, tasks]`, float64, in the order of `losses`, of the tasks' weighted shared
            gradients; None where it was not asked for.
        weights: `[tasks]`, what the aggregator made of them, or None.
        aggregator_state: what the aggregator remembers after them.
        watched: norms of the tasks' weighted shared gradients, scalars on the device, where they
            were watched and there is no Gram matrix; else empty.
    """

    losses: dict[str, Tensor]
    gram: Tensor | None = None
    weights: list[float] | None = None
    aggregator_state: MethodState = field(default_factory=dict)
    watched: dict[str, Tensor] = field(default_factory=dict)

    @property
    def task_norms(self) -> dict[str, float]:
        """Norms of the tasks' weighted shared gradients, by the Gram matrix; else empty."""
        if self.gram is None:
            return {}
        lengths = self.gram.diagonal().clamp(min=0).sqrt().tolist()
        return dict(zip(self.losses, lengths, strict=True))

    def statistics(self) -> dict[str, Any]:
        """Norms, pairwise cosines and the aggregator's weights, as they are logged."""
        if self.gram is None:
            return {}
        gram, tasks = self.gram, list(self.losses)
        norms = gram.diagonal().clamp(min=0).sqrt()
        statistics: dict[str, Any] = {
            "task_gradient_norm": self.task_norms,
            "gradient_cosine": {
                f"{a}/{b}": float(gram[i, j] / (norms[i] * norms[j]))
                for i, a in enumerate(tasks)
                for j, b in enumerate(tasks)
                if i < j and norms[i] > 0 and norms[j] > 0
            },
        }
        if self.weights is not None:
            statistics["surgery_weights"] = dict(zip(tasks, self.weights, strict=True))
        return statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientOptions:
    """How the gradients of a step are computed.

    Attributes:
        aggregator: makes one direction of the tasks' shared gradients.
        aggregator_state: what it remembers of the steps before.
        loss_weights: the weighting's factors of the losses, by task; a task left out has 1.
        measure: also compute the Gram matrix where the aggregator does not need it.
        watch: also see how long the tasks' shared gradients are, without any effect on their sum.
        accumulate: parts into which each batch, or this process's shard, is split to save memory.
        dropout: source of the dropout, on the network's device.
        trunk_dropout: whether it falls on the trunk too; not while the trunk is frozen.
        orders: source of the aggregator's random orders, the same for all processes.
        uniforms: source of its random numbers by coordinate, on the network's device and the same
            for all processes.
        processes: that compute the step together; the result is the same for each.
    """

    aggregator: Aggregator = DEFAULT_AGGREGATOR
    aggregator_state: MethodState = field(default_factory=dict)
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    measure: bool = False
    watch: bool = False
    accumulate: int = 1
    dropout: Generator | None = None
    trunk_dropout: bool = True
    orders: Generator | None = None
    uniforms: Generator | None = None
    processes: Processes = ALONE


class _Examples(NamedTuple):
    source: ExampleSource
    class_weights: Tensor | None


def compute_gradients(
    network: MultitaskNetwork,
    step: SuperBatch,
    sources: Mapping[str, ExampleSource],
    *,
    class_weights: Mapping[str, Tensor | None],
    shared: Sequence[Parameter],
    options: GradientOptions,
) -> StepGradients:
    """Fill `.grad` of every parameter for one step.

    A task's loss is the (class-weighted) mean over its batch, times the sampler's factor, its
    `loss_weight` and the weighting's factor. A task's own parameters receive its gradient and that
    of the trunk's penalty, shared ones the sum that the aggregator decides. Of batches that only
    constrain, the aggregator sees the gradients of the shared parameters; nothing else comes of
    them.

    Args:
        network: in any mode; dropout is decided by the generator.
        step: the tasks' batches.
        sources: the examples by task.
        class_weights: `[classes]` by task, or None.
        shared: parameters that all tasks share and that learn.
        options: how.
    """
    processes, aggregator = options.processes, options.aggregator
    apart = None
    if shared and (aggregator.sets_aside or options.measure):
        apart = SharedGradients(shared)
    # A shard's gradient is no task's, and they are summed at the very end.
    trained = followed(step)
    many = len(trained) > 1
    watches = options.watch and apart is None and shared and many and processes.size == 1
    growth = GradientGrowth(shared) if watches else None
    losses: dict[str, Tensor] = {}
    watched: dict[str, Tensor] = {}
    for task, batch in trained.items():
        examples = _Examples(sources[task], class_weights[task])
        factor = batch.loss_factor * network.tasks[task].loss_weight
        factor *= options.loss_weights.get(task, 1.0)
        losses[task] = _backward(network, task, batch, examples, factor, options)
        if apart is not None:
            _sum_over(processes, network, shared, {task: batch})
            apart.set_aside()
        if growth is not None:
            watched[task] = growth.norm()
    if apart is None:
        _sum_over(processes, network, shared, trained)
    losses = _sum_losses(processes, losses)
    if apart is None:
        _coalesce(shared)
        _add_penalty(network)
        return StepGradients(losses, aggregator_state=options.aggregator_state, watched=watched)
    for task, batch in step.items():
        if batch.reference and aggregator.takes_references:
            examples = _Examples(sources[task], class_weights[task])
            _backward(network, task, batch, examples, 1.0, options)
            _sum_over(processes, network, shared, {task: batch})
            apart.set_aside()
            for parameter in network.partition.of(task).values():
                parameter.grad = None
    gram, weights, state = _combine(apart, list(trained), options)
    _add_penalty(network)
    return StepGradients(losses, gram, weights, state)


def _add_penalty(network: MultitaskNetwork) -> None:
    """Add the gradient of the term that ties the tasks' own parts, if there is one.

    It is the same in every process, which all have the same weights, and so added after their sum.
    """
    if (penalty := network.trunk.penalty()) is not None:
        penalty.backward()


def _combine(
    apart: SharedGradients, tasks: Sequence[str], options: GradientOptions
) -> tuple[Tensor | None, list[float] | None, MethodState]:
    """Give the shared parameters the direction that the aggregator makes of what was set aside.

    Returns:
        The Gram matrix if it was looked at, the aggregator's factors if it has such, its state.
    """
    aggregator, state = options.aggregator, options.aggregator_state
    gram = weights = None
    count = len(tasks)
    if aggregator.needs_gram or options.measure or options.watch:
        gram = apart.gram()
        options.processes.broadcast([gram])
        kept = [i for i in range(len(gram)) if i < count or gram[i, i].isfinite()]
        if len(kept) < len(gram):  # a constraint that is no number constrains nothing
            apart.keep(kept)
            gram = gram[kept][:, kept]
    if isinstance(aggregator, CoordinateAggregator):
        assert options.uniforms is not None
        apart.combine(aggregator.combine, options.uniforms)
        return gram, None, state
    if isinstance(aggregator, GramAggregator) and aggregator.needs_gram:
        assert gram is not None
        weights, state = _factors(aggregator, gram, tasks, options)
    apart.hand_out([1.0] * count if weights is None else weights)
    if gram is None or weights is None:
        return gram, weights, state
    return gram[:count, :count], weights[:count], state


def _factors(
    aggregator: GramAggregator, gram: Tensor, tasks: Sequence[str], options: GradientOptions
) -> tuple[list[float], MethodState]:
    """The aggregator's factors, and its state after them."""
    state, orders = options.aggregator_state, options.orders
    products = gram.numpy()
    if not np.isfinite(products).all():
        return [1.0] * len(products), state  # the sum is not finite either, and will not be used
    assert orders is not None

    def permute(count: int) -> list[int]:
        order: list[int] = torch.randperm(count, generator=orders).tolist()
        return order

    return aggregator.weights(products, tasks, state, permute)


def total_norm(parameters: Iterable[Parameter]) -> Tensor:
    """Norm of the gradients of all parameters together, a scalar.

    Infinite above 1e19 in float32: the optimizer's moments hold squares, which would be so too.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if gradients[0].device.type == "cuda":
        return torch.nn.utils.get_total_norm(gradients)  # a few kernels for all of them
    flat = [(g.coalesce().values() if g.is_sparse else g).flatten() for g in gradients]
    # On CPUs a dot product is several times faster than torch's norm.
    return torch.stack([torch.dot(values, values) for values in flat]).sum().sqrt()


def _backward(
    network: MultitaskNetwork,
    task: str,
    batch: TaskBatch,
    examples: _Examples,
    factor: float,
    options: GradientOptions,
) -> Tensor:
    """Add the gradients of this process's shard of a task's batch to `.grad`.

    Returns:
        The shard's part of the batch's unweighted mean loss.
    """
    source, processes = examples.source, options.processes
    device, dtype = network.device, next(network.heads.parameters()).dtype
    labels = source.label_tensor(batch.indices, network.head(task).scale.standardise)
    labels = move(labels, device)
    weights = example_weights(labels, examples.class_weights)
    weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    # The weights are those of the whole batch, so the sum over all shards is its mean.
    labels, weights = processes.shard(labels), processes.shard(weights)
    indices = processes.shard(batch.indices)
    swapped = None if batch.swapped is None else processes.shard(batch.swapped)
    mean_loss = torch.zeros((), device=device, dtype=dtype)
    if not len(indices):
        return mean_loss
    for part in np.array_split(np.arange(len(indices)), min(options.accumulate, len(indices))):
        order = None if swapped is None else swapped[part]
        outputs = network(
            task,
            _moved(source.inputs(indices[part], order), device),
            options.dropout,
            trunk_dropout=options.trunk_dropout,
        )
        chosen = slice(int(part[0]), int(part[-1]) + 1)
        losses = example_losses(network.tasks[task], outputs, labels[chosen])
        loss = (losses * weights[chosen]).sum()
        (loss * factor).backward()
        mean_loss += loss.detach()
    return mean_loss


def _moved(inputs: TokenBatch | Tensor, device: torch.device) -> TokenBatch | Tensor:
    return inputs.to(device) if isinstance(inputs, TokenBatch) else move(inputs, device)


def _coalesce(parameters: Iterable[Parameter]) -> None:
    """Add up the rows of sparse gradients that several examples touch."""
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()


def _sum_over(
    processes: Processes, network: MultitaskNetwork, shared: Sequence[Parameter], step: SuperBatch
) -> None:
    """Let `.grad` of the shared parameters and of the tasks' own be the sum over processes."""
    if processes.size == 1:
        return
    partition = network.partition
    own = [p for task in step for p in partition.of(task).values() if p.requires_grad]
    parameters = [*shared, *own]
    gradients = [parameter.grad for parameter in parameters]
    may_lack = any(len(batch.indices) < processes.size for batch in step.values())
    summed = sum_gradients(processes, parameters, gradients, may_lack=may_lack)
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient


def _sum_losses(processes: Processes, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tasks' losses over their whole batches."""
    if processes.size == 1:
        return losses
    summed = [torch.stack(list(losses.values()))]
    processes.all_reduce_sum(summed)
    return dict(zip(losses, summed[0].unbind(), strict=True))
