"""AdamW, its parameter groups, and saving and restoring its moments."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from mtbert.runs.checkpoint import check_fit

__all__ = ["AdamW", "optimizer_moments", "parameter_groups", "restore_moments"]


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Kingma and Ba 2015, end of section 2; Loshchilov 2019).

    The bias correction is folded into the step size, and the decay is applied after the update
    with the same learning rate:

        m = b1 m + (1 - b1) g            v = b2 v + (1 - b2) g^2
        p = p - lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)
        p = p - lr * weight_decay * p

    It differs from `torch.optim.AdamW` in the place of eps (inside there, scaled by the
    correction) and in the order of decay and update. Its arithmetic is mapped onto the kernel of
    that optimizer, which reads and writes each value once: with d = lr * weight_decay and the
    step size s,

        (p - s u) (1 - d) = p (1 - d) - s (1 - d) u,        u = m / (sqrt(v) + eps)

    which is torch's update with the rate s (1 - d), the decay d / (s (1 - d)) and no correction
    of its own.

    A sparse gradient is zero elsewhere: the same update as by the dense one.

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
        if lr * weight_decay >= 1:
            raise ValueError("lr * weight_decay must be below 1: the decay would undo the weights")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "correct_bias": correct_bias,
        }
        super().__init__(params, defaults)
        self._spread: dict[Tensor, Tensor] = {}
        self._infinite: dict[torch.device, Tensor] = {}

    @torch.no_grad()
    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        grad_scale: Tensor | None = None,
        found_inf: Tensor | None = None,
    ) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew and returns it.
            grad_scale: scalar by which every gradient is divided first, in place.
            found_inf: float32 scalar; where it is 1 parameters and moments stay what they are. It
                is read on the device alone, so the update counts all the same: see `counts`.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_step: defaultdict[int, list[Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self._state_of(parameter)
                    state["step"] += 1
                    by_step[state["step"]].append(parameter)
            for step, parameters in by_step.items():
                self._update(group, step, parameters, grad_scale, found_inf)
        return loss

    def counts(self) -> dict[Tensor, int]:
        """How many updates each parameter has had; those that have had one alone."""
        return {parameter: state["step"] for parameter, state in self.state.items() if state}

    def take_back(self, counts: Mapping[Tensor, int]) -> None:
        """Do not count the updates since `counts`, none of which has changed anything."""
        for parameter in list(self.state):
            if parameter in counts:
                self.state[parameter]["step"] = counts[parameter]
            else:
                del self.state[parameter]

    def _state_of(self, parameter: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
        return state

    def _update(
        self,
        group: dict[str, Any],
        step: int,
        parameters: list[Parameter],
        grad_scale: Tensor | None,
        found_inf: Tensor | None,
    ) -> None:
        beta1, beta2 = group["betas"]
        step_size = group["lr"]
        if group["correct_bias"]:
            step_size *= math.sqrt(1 - beta2**step) / (1 - beta1**step)
        decay = group["lr"] * group["weight_decay"]
        rate = step_size * (1 - decay)
        # The kernel ignores strides, so all tensors must be contiguous.
        params = [p if p.is_contiguous() else p.contiguous() for p in parameters]
        adamw(
            params,
            [self._dense(p) for p in parameters],
            [self.state[p]["exp_avg"] for p in parameters],
            [self.state[p]["exp_avg_sq"] for p in parameters],
            [],
            # b^inf is 0: the correction is already in the rate.
            [self._infinity(p.device) for p in params],
            fused=True,
            grad_scale=grad_scale,
            found_inf=found_inf,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=rate,
            weight_decay=decay / rate if rate else 0.0,
            eps=group["eps"],
            maximize=False,
        )
        for parameter, updated in zip(parameters, params, strict=True):
            if updated is not parameter:
                parameter.copy_(updated)
            self._clear(parameter)

    def _infinity(self, device: torch.device) -> Tensor:
        """One for all parameters: a hundred of them would be as many kernels on a GPU."""
        if device not in self._infinite:
            self._infinite[device] = torch.full((), math.inf, device=device)
        return self._infinite[device]

    def _dense(self, parameter: Tensor) -> Tensor:
        """The gradient, contiguous; a sparse one is spread out in a buffer that is kept."""
        grad = parameter.grad
        assert grad is not None
        if not grad.is_sparse:
            return grad.contiguous()
        grad = grad.coalesce()
        buffer = self._spread.get(parameter)
        if buffer is None:
            buffer = self._spread[parameter] = torch.zeros_like(parameter)
        return buffer.index_copy_(0, grad.indices()[0], grad.values())

    def _clear(self, parameter: Tensor) -> None:
        """Zero what `_dense` filled: a few rows, where a new buffer would touch them all."""
        if parameter.grad is not None and parameter.grad.is_sparse:
            rows = parameter.grad.coalesce().indices()[0]
            self._spread[parameter].index_fill_(0, rows, 0)


def parameter_groups(
    trunk: Mapping[str, Parameter],
    heads: Mapping[str, Parameter],
    *,
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
    rate_factors: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Groups for the optimizer: the trunk and the heads, each with and without weight decay.

    Biases and layer norms (every parameter of one dimension) are not decayed. Each group holds
    the `names` of its parameters, and its peak rate as `peak`.

    Args:
        trunk: parameters by name.
        heads: likewise.
        learning_rate: peak rate of the trunk.
        head_learning_rate: of the heads.
        weight_decay: of those that are decayed.
        rate_factors: of the trunk's rate, by name; those of one factor share groups. Default: 1.
    """
    parts = [(trunk, learning_rate), (heads, head_learning_rate)]
    if rate_factors is not None:
        by_factor: defaultdict[float, dict[str, Parameter]] = defaultdict(dict)
        for name, parameter in trunk.items():
            by_factor[rate_factors[name]][name] = parameter
        parts[:1] = [(found, learning_rate * factor) for factor, found in by_factor.items()]
    groups = []
    for parameters, rate in parts:
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


def optimizer_moments(optimizer: AdamW) -> tuple[dict[str, Tensor], dict[str, int]]:
    """The optimizer's tensors and step counts by parameter name."""
    tensors, steps = {}, {}
    for name, parameter in _named(optimizer):
        if state := optimizer.state.get(parameter):
            tensors[f"{name}.exp_avg"] = state["exp_avg"]
            tensors[f"{name}.exp_avg_sq"] = state["exp_avg_sq"]
            steps[name] = state["step"]
    return tensors, steps


def restore_moments(
    optimizer: AdamW, tensors: Mapping[str, Tensor], steps: Mapping[str, int]
) -> None:
    """Give each parameter, by its name, the state that it had.

    Raises:
        UserError: the tensors are not those of the optimizer's parameters.
    """
    known = dict(_named(optimizer))
    expected = {
        f"{name}.{moment}": known.get(name, torch.empty(0))
        for name in steps
        for moment in ("exp_avg", "exp_avg_sq")
    }
    check_fit("the optimizer's moments", tensors, expected)
    for name, step in steps.items():
        parameter = known[name]
        optimizer.state[parameter] = {
            "step": step,
            "exp_avg": torch.empty_like(parameter).copy_(tensors[f"{name}.exp_avg"]),
            "exp_avg_sq": torch.empty_like(parameter).copy_(tensors[f"{name}.exp_avg_sq"]),
        }


def _named(optimizer: AdamW) -> list[tuple[str, Parameter]]:
    return [
        pair
        for group in optimizer.param_groups
        for pair in zip(group["names"], group["params"], strict=True)
    ]
