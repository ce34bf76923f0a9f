"""The gradients of one step: launched asynchronously, or recomputed without non-finite tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Generator, Tensor

from mtbert.batch import move
from mtbert.config.training import TrainingSettings
from mtbert.hardware.memory import SMALLER, OutOfMemory
from mtbert.hardware.readback import Readback
from mtbert.hardware.runtime import Runtime
from mtbert.methods.base import Progress
from mtbert.methods.sampling.base import SuperBatch
from mtbert.methods.seeding import seed_from
from mtbert.model.network import MultitaskNetwork
from mtbert.runs.state import State
from mtbert.training.gradients import (
    GradientOptions,
    StepGradients,
    compute_gradients,
    total_norm,
)
from mtbert.training.nonfinite import Fault, StepResult, bad_examples, finite_part
from mtbert.training.phase_methods import PhaseMethods
from mtbert.training.phases.base import PhaseData

__all__ = ["GradientStep", "PendingResult"]

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class PendingResult:
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
        watched = [norm.double() for norm in gradients.watched.values()]
        self._values = Readback(torch.cat([values, torch.stack(watched)]) if watched else values)

    def read(self) -> StepResult:
        """Losses and norms, waiting for the device if it has not come to them yet."""
        losses, watched = self.gradients.losses, self.gradients.watched
        values = iter(self._values.read())
        return StepResult(
            self.gradients,
            losses={task: next(values) for task in losses},
            norm=next(values),
            watched={task: next(values) for task in watched},
        )


class GradientStep:
    """Fills `.grad` for the steps of a phase.

    Everything random in it is a function of seed and step.
    """

    def __init__(
        self,
        network: MultitaskNetwork,
        data: PhaseData,
        settings: TrainingSettings,
        runtime: Runtime,
        state: State,
        methods: PhaseMethods,
    ) -> None:
        """For one phase.

        Args:
            network: in any mode; what learns of it requires gradients.
            data: the examples that are trained on.
            settings: the training section.
            runtime: of the run.
            state: of the run; the number of parts changes in it.
            methods: of the phase.
        """
        self.network, self.data, self.settings = network, data, settings
        self.runtime, self.state, self.methods = runtime, state, methods
        partition = network.partition
        self._shared = [p for p in partition.shared.values() if p.requires_grad]
        trunk = partition.shared | partition.all_own
        self._trunk_learns = any(p.requires_grad for p in trunk.values())
        self._learning = [p for p in partition.all.values() if p.requires_grad]
        self._class_weights = {
            task: None if weights is None else move(weights, runtime.device)
            for task, weights in data.class_weights.items()
        }

    def launch(self, step: SuperBatch, at: Progress) -> PendingResult:
        """Gradients of a step, finite or not; on a GPU they may still be on their way.

        Args:
            step: the tasks' batches.
            at: where the step stands in its phase.

        Raises:
            OutOfMemory: not even the smallest parts fit, or smaller ones are not allowed.
        """
        result = self._fit(step, lambda: self._fill(step, at))
        self.methods.launched(result.gradients.aggregator_state)
        return result

    def compute_finite(self, step: SuperBatch, at: Progress) -> tuple[StepResult, list[Fault]]:
        """Gradients of the tasks of a step that are finite, and what is wrong with the others.

        Args:
            step: as it was launched before.
            at: where it stands in its phase.

        Raises:
            OutOfMemory: not even the smallest parts fit, or smaller ones are not allowed.
        """
        self.methods.forget_launched()
        result, found = self._fit(
            step, lambda: finite_part(step, lambda part: self._fill(part, at).read())
        )
        if result.losses:
            self.methods.launched(result.gradients.aggregator_state)
        faults = []
        for task, what in found.items():
            source = self.data.sources[task]
            rows = bad_examples(self.network, task, step[task], source, self._parts)
            faults.append(Fault(task, what, [self.data.ids[task][row] for row in rows]))
        return result, faults

    def clear(self) -> None:
        """Drop the gradients."""
        for parameter in self._learning:
            parameter.grad = None

    def _fill(self, step: SuperBatch, at: Progress) -> PendingResult:
        """Fill `.grad` for a step or some tasks of one."""
        methods, runtime = self.methods, self.runtime
        self.clear()
        # Dropout differs between processes; the main one's is that of a process alone.
        rank = [] if runtime.processes.is_main else [runtime.processes.rank]
        options = GradientOptions(
            aggregator=methods.aggregator(at),
            aggregator_state=methods.aggregator_state,
            loss_weights=methods.loss_weights(at),
            measure=methods.measures(self.state.step + 1) or methods.weighting.needs_norms,
            watch=methods.watches(self.state.step + 1, at),
            accumulate=self._parts,
            dropout=self._generator("dropout", runtime.device, *rank),
            trunk_dropout=self._trunk_learns,
            orders=self._generator("surgery", torch.device("cpu")),
            uniforms=self._generator("coordinates", runtime.device),
            processes=runtime.processes,
        )
        gradients = compute_gradients(
            self.network,
            step,
            self.data.sources,
            class_weights=self._class_weights,
            shared=self._shared,
            options=options,
        )
        norm = total_norm(self._learning)
        runtime.processes.broadcast_scalar(norm)
        return PendingResult(gradients, norm)

    def _generator(self, purpose: str, device: torch.device, *further: object) -> Generator:
        generator = Generator(device)
        generator.manual_seed(seed_from(purpose, self.runtime.seed, self.state.step, *further))
        return generator

    # Memory

    @property
    def _parts(self) -> int:
        """Parts into which a batch is split."""
        accumulate = self.settings.accumulate
        return self.state.parts if accumulate == "auto" else accumulate

    def _fit(self, step: SuperBatch, attempt: Callable[[], _Result]) -> _Result:
        """What `attempt` gives, in as many parts as memory demands."""
        state, before = self.state, self.state.parts
        reasons: list[str] = []

        def smaller(reason: str) -> None:
            self.clear()
            self._split_further(step, reason)
            reasons.append(reason)

        result = self.runtime.memory.fit(attempt, smaller)
        if reasons:
            _log.warning(
                "step %d: out of memory: %s; batches are now computed in %d parts instead of %d",
                state.step + 1, reasons[0], state.parts, before,
            )  # fmt: skip
        return result

    def _split_further(self, step: SuperBatch, reason: str) -> None:
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
            alone = self.runtime.processes.size == 1
            parts = "`training.accumulate: auto`" if alone else "a larger `training.accumulate`"
            helps.append(f"{parts} (the same batches in less memory)")
        if self.runtime.memory.limit is not None:
            helps.append("a higher `training.memory_limit`")
        told = f" Go on by --resume with {' or '.join(helps)}." if helps else ""
        raise OutOfMemory(
            f"step {state.step + 1}: {title}: {reason}; the weights are those of the step before."
            f"{told} In a new run {smaller} helps"
        )
