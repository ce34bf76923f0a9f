"""One step's gradients: those that are finite, in as many parts as memory demands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn import Parameter

from mtbert.batch import move
from mtbert.config.settings import TrainingSettings
from mtbert.distributed.processes import Processes
from mtbert.errors import TrainingError
from mtbert.hardware.memory import SMALLER, Memory, OutOfMemory
from mtbert.hardware.readback import Readback
from mtbert.methods.sampling.schedules import Step, seed_from
from mtbert.model.network import MultitaskNetwork
from mtbert.runs.state import Phase, State
from mtbert.training.gradients import StepGradients, compute_gradients, total_norm
from mtbert.training.nonfinite import Computed, bad_examples, finite_part

__all__ = ["NonFiniteLoss", "Outcome", "StepComputation"]

_SHOWN_IDS = 8

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class NonFiniteLoss(TrainingError):
    """A loss or a gradient is NaN or infinite; the weights are those of the step before."""


class Outcome:
    """What the backward passes of a step left in `.grad`, before anything of it has been read.

    Attributes:
        gradients: as they were computed.
        norm: of the whole gradient, a scalar on the device.
        found_inf: float32 scalar on the device: 1 where a loss or the norm is not finite, else 0.
    """

    def __init__(self, gradients: StepGradients, norm: Tensor) -> None:
        self.gradients, self.norm = gradients, norm
        values = torch.stack(
            [*(loss.double() for loss in gradients.losses.values()), norm.double()]
        )
        self.found_inf = (~values.isfinite().all()).float()
        self._values = Readback(values)

    def read(self) -> Computed:
        """Losses and norm, waiting for the device if it has not come to them yet."""
        *losses, norm = self._values.read()
        return Computed(self.gradients, dict(zip(self.gradients.losses, losses, strict=True)), norm)


class StepComputation:
    """Fills `.grad` for the steps of a phase.

    Everything random in it is a function of seed and step.
    """

    def __init__(
        self,
        network: MultitaskNetwork,
        phase: Phase,
        settings: TrainingSettings,
        seed: int,
        state: State,
        *,
        shared: Sequence[Parameter],
        learning: Sequence[Parameter],
        memory: Memory,
        processes: Processes,
        record: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """For one phase.

        Args:
            network: in any mode.
            phase: whose examples are trained on.
            settings: the training section.
            seed: of dropout and surgery.
            state: of the run; parts, rates and what was left out change in it.
            shared: parameters that all tasks share and that learn.
            learning: all parameters that learn.
            memory: what may be taken.
            processes: that compute together.
            record: receives what is logged of faults.
        """
        self.network, self.phase, self.settings = network, phase, settings
        self.seed, self.state = seed, state
        self.shared, self.learning = shared, learning
        self.memory, self.processes, self.record = memory, processes, record
        self._device = next(network.heads.parameters()).device
        self._class_weights = {
            task: None if weights is None else move(weights, self._device)
            for task, weights in phase.class_weights.items()
        }

    def launch(self, step: Step) -> Outcome:
        """Gradients of a step, finite or not; on a GPU they may still be on their way.

        Raises:
            OutOfMemory: not even the smallest parts fit, or smaller ones are not allowed.
        """
        return self._fit(step, lambda: self._fill(step))

    def compute(self, step: Step, epoch: int) -> Computed:
        """Gradients of what is finite of a step; of no task if nothing is and that is allowed.

        Args:
            step: the tasks' batches.
            epoch: its number in the log.

        Raises:
            NonFiniteLoss: something is not finite and the policy is to stop.
            OutOfMemory: not even the smallest parts fit, or smaller ones are not allowed.
        """
        computed, faults = self._fit(
            step, lambda: finite_part(step, lambda part: self._fill(part).read())
        )
        if faults:
            self._handle(step, faults, epoch)
        return computed

    def _fit(self, step: Step, attempt: Callable[[], _Result]) -> _Result:
        """What `attempt` gives, in as many parts as memory demands."""
        state, before = self.state, self.state.parts
        reasons: list[str] = []

        def smaller(reason: str) -> None:
            self.clear()
            self._split_further(step, reason)
            reasons.append(reason)

        result = self.memory.fit(attempt, smaller)
        if reasons:
            _log.warning(
                "step %d: out of memory: %s; batches are now computed in %d parts instead of %d",
                state.step + 1, reasons[0], state.parts, before,
            )  # fmt: skip
        return result

    def clear(self) -> None:
        """Drop the gradients."""
        for parameter in self.learning:
            parameter.grad = None

    def _fill(self, step: Step) -> Outcome:
        """Fill `.grad` for a step or some tasks of one."""
        settings, number = self.settings, self.state.step + 1
        self.clear()
        # Dropout is another one in each process; the first one's is that of a process alone.
        rank = [] if self.processes.is_main else [self.processes.rank]
        gradients = compute_gradients(
            self.network,
            step,
            self.phase.sources,
            class_weights=self._class_weights,
            shared=self.shared,
            surgery=settings.surgery,
            measure=number == 1 or number % settings.gradients_every == 0,
            accumulate=self._parts,
            dropout=self._generator("dropout", self._device, *rank),
            orders=self._generator("surgery", torch.device("cpu")),
            processes=self.processes,
        )
        norm = total_norm(self.learning)
        self.processes.broadcast_scalar(norm)
        return Outcome(gradients, norm)

    @property
    def _parts(self) -> int:
        """Parts into which a batch is split."""
        accumulate = self.settings.accumulate
        return self.state.parts if accumulate == "auto" else accumulate

    def _split_further(self, step: Step, reason: str) -> None:
        """Twice as many parts, if that is allowed and some part has more than one example.

        Raises:
            OutOfMemory: it is not; weights are those of the step before.
        """
        state = self.state
        whole = self._parts < max(len(batch.indices) for batch in step.values())
        if whole and self.settings.accumulate == "auto":
            state.parts, state.out_of_memory = 2 * state.parts, state.out_of_memory + 1
            return
        title, helps, smaller = "out of memory with one example at a time", [], SMALLER
        if whole:
            title, smaller = "out of memory", f"a smaller `training.batch_size`, {SMALLER}"
            alone = self.processes.size == 1
            parts = "`training.accumulate: auto`" if alone else "a larger `training.accumulate`"
            helps.append(f"{parts} (the same batches in less memory)")
        if self.memory.limit is not None:
            helps.append("a higher `training.memory_limit`")
        told = f" Go on by --resume with {' or '.join(helps)}." if helps else ""
        raise OutOfMemory(
            f"step {state.step + 1}: {title}: {reason}; the weights are those of the step before."
            f"{told} In a new run {smaller} helps"
        )

    def _handle(self, step: Step, faults: Mapping[str, str], epoch: int) -> None:
        """What `training.non_finite` says of parts of a step that are not finite."""
        state, policy, phase = self.state, self.settings.non_finite, self.phase
        told = []
        for task, what in faults.items():
            rows = bad_examples(self.network, task, step[task], phase.sources[task], self._parts)
            ids = [phase.ids[task][row] for row in rows]
            shown = ", ".join(ids[:_SHOWN_IDS]) + (", …" if len(ids) > _SHOWN_IDS else "")
            told.append(f"task {task}, step {state.step + 1}: {what}; examples {shown}")
            state.left_out[task] = state.left_out.get(task, 0) + 1
            self.record(
                {
                    "kind": "non_finite",
                    "epoch": epoch,
                    "step": state.step + 1,
                    "task": task,
                    "what": what,
                    "ids": ids,
                    "policy": policy,
                }
            )
        message = "; ".join(told)
        if policy == "stop":
            raise self.processes.raised_by_all(
                NonFiniteLoss(
                    f"{message}; weights are those of the step before. A lower learning rate or a "
                    "`clip` helps, or `training.non_finite: skip`"
                )
            )
        if policy == "halve":
            state.rate_factor /= 2
            message += f"; learning rates are now {state.rate_factor:g} of the configured"
        _log.warning("left out: %s", message)

    def _generator(self, purpose: str, device: torch.device, *further: object) -> Generator:
        generator = Generator(device)
        generator.manual_seed(seed_from(purpose, self.seed, self.state.step, *further))
        return generator
