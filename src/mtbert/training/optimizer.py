"""AdamW in the course's "efficient" form, parameter groups, learning-rate schedules."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

__all__ = ["AdamW", "parameter_groups", "rate_factor"]

_BLOCK = 1 << 18
"""Values updated at a time on a CPU: parameter, gradient and both moments fit the cache, so the
passes of an update read main memory once. benchmarks/optimizer.py compares sizes."""

_Quadruple = tuple[Tensor, Tensor, Tensor, Tensor]


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Kingma and Ba 2015, end of section 2; Loshchilov 2019).

    The bias correction is folded into the step size, and the decay is applied after the update
    with the same learning rate:

        m = b1 m + (1 - b1) g            v = b2 v + (1 - b2) g^2
        p = p - lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)
        p = p - lr * weight_decay * p

    It differs from `torch.optim.AdamW` in the place of eps (inside there, scaled by the
    correction) and in the order of decay and update.

    Raises:
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        correct_bias: bool = True,
    ) -> None:
        if not (lr >= 0 and eps >= 0 and weight_decay >= 0):
            raise ValueError("lr, eps and weight_decay must be 0 or more")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be in [0, 1), found {betas}")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "correct_bias": correct_bias,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_step: defaultdict[int, list[_Quadruple]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self._state_of(parameter)
                    state["step"] += 1
                    by_step[state["step"]].append(
                        (parameter, parameter.grad, state["exp_avg"], state["exp_avg_sq"])
                    )
            for step, quadruples in by_step.items():
                self._update(group, step, quadruples)
        return loss

    def _state_of(self, parameter: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
        return state

    @staticmethod
    def _update(group: dict[str, Any], step: int, quadruples: list[_Quadruple]) -> None:
        beta1, beta2 = group["betas"]
        step_size = group["lr"]
        if group["correct_bias"]:
            step_size *= math.sqrt(1 - beta2**step) / (1 - beta1**step)
        decay = group["lr"] * group["weight_decay"]
        for block in _blocks(quadruples):
            params, grads, means, squares = (list(column) for column in zip(*block, strict=True))
            torch._foreach_lerp_(means, grads, 1 - beta1)
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
            scale = torch._foreach_sqrt(squares)
            torch._foreach_add_(scale, group["eps"])
            torch._foreach_addcdiv_(params, means, list(scale), -step_size)
            if decay:
                torch._foreach_mul_(params, 1 - decay)


def _blocks(quadruples: list[_Quadruple]) -> Iterator[list[_Quadruple]]:
    """Everything at once on an accelerator, pieces that fit the cache on a CPU."""
    if quadruples[0][0].device.type != "cpu":
        yield quadruples
        return
    block: list[_Quadruple] = []
    size = 0
    for quadruple in quadruples:
        count = quadruple[0].numel()
        if count < _BLOCK or not quadruple[0].is_contiguous():
            pieces: Iterable[tuple[Tensor, ...]] = [quadruple]
        else:
            columns = [tensor.reshape(-1).split(_BLOCK) for tensor in quadruple]
            pieces = zip(*columns, strict=True)
        for piece in pieces:
            if size + piece[0].numel() > _BLOCK and block:
                yield block
                block, size = [], 0
            block.append(piece)  # type: ignore[arg-type]
            size += piece[0].numel()
    if block:
        yield block


def parameter_groups(
    shared: Mapping[str, Parameter],
    heads: Mapping[str, Parameter],
    *,
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Groups for the optimizer: encoder and heads, each with and without weight decay.

    Biases and layer norms (every parameter of one dimension) are not decayed. Each group holds
    the `names` of its parameters, and its peak rate as `peak`.
    """
    groups = []
    for parameters, rate in ((shared, learning_rate), (heads, head_learning_rate)):
        for decays in (True, False):
            chosen = {n: p for n, p in parameters.items() if (p.ndim > 1) == decays}
            if chosen:
                groups.append(
                    {
                        "params": list(chosen.values()),
                        "names": list(chosen),
                        "peak": rate,
                        "lr": rate,
                        "weight_decay": weight_decay if decays else 0.0,
                    }
                )
    return groups


def rate_factor(schedule: str, warmup: float, step: int, total: int) -> float:
    """Factor of the peak learning rate at a step counted from 0 out of `total`.

    Rises linearly over the first `warmup` share of the steps, ending at 1; then stays
    (`constant`), falls in a line (`linear`) or in half a cosine (`cosine`) towards 0, which it
    would reach at step `total`.
    """
    rising = round(warmup * total)
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / max(1, total - rising)
    match schedule:
        case "linear":
            return 1 - progress
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        case _:
            return 1.0
