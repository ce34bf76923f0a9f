"""The training loop: the only place that changes weights.

A run is one or more phases, a phase is a number of epochs, and an epoch is the steps of its plan.
The loop keeps all its state in `State`, so a checkpoint is that and the tensors.

Several processes go through the same steps with the same weights. Only the main one has the run
folder open: it reads, writes and decides, and the others follow.

Steps are asynchronous: a step is launched, and its losses are read later. Its update happens on the
device alone, which leaves the weights unchanged if a loss or the gradient is not finite, and so
does every later step until the host has read the losses. On a GPU the host reads them one step
late, so that the GPU never idles; on a CPU at once. A step that was not finite is then computed
again without the tasks to blame, and whatever was launched after it is launched again. Everything
random is a function of the step's number, so the results are bit for bit the same either way,
unless memory runs out in between.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import Parameter

from mtbert.config.training import TrainingSettings
from mtbert.console.interrupt import Interruption, watch_interruption
from mtbert.console.progress import ProgressBar
from mtbert.hardware.runtime import Runtime
from mtbert.methods.sampling.base import SuperBatch, followed
from mtbert.methods.sampling.epoch import epoch_length, plan_epoch
from mtbert.model.network import MultitaskNetwork
from mtbert.runs.folder import RunFolder
from mtbert.runs.forgetting import Stage
from mtbert.runs.shared import SharedRun
from mtbert.training.active import ActivePhase, LaunchedStep
from mtbert.training.imbalance import dominant, warn_of_imbalance
from mtbert.training.learner import make_learner
from mtbert.training.losses import add_losses
from mtbert.training.nonfinite import StepResult, apply_policy, warn_of_explosions
from mtbert.training.phase_methods import PhaseMethods
from mtbert.training.phases.base import Phase, PhaseData
from mtbert.training.resume import Checkpoints
from mtbert.training.running_targets import RunningTargets, load_best_scales
from mtbert.training.selection import Selection
from mtbert.training.step import GradientStep

__all__ = ["Trainer"]

_ECHO_SECONDS, _ECHO_SECONDS_OF_MANY = 1.0, 5.0
"""One signal may arrive twice: sent to every process of a job, and passed on by the launcher."""


class Trainer:
    """One run, from its state to its end.

    Attributes:
        state: where the run stands.
        selection: its best evaluation so far.
    """

    def __init__(
        self,
        network: MultitaskNetwork,
        phases: Sequence[Phase],
        settings: TrainingSettings,
        runtime: Runtime,
        run: RunFolder | None,
    ) -> None:
        """Start afresh, or from the run's newest checkpoint if it has one.

        Args:
            network: on its device; its weights are replaced by a checkpoint's.
            phases: in order.
            settings: the training section.
            runtime: of the run.
            run: where checkpoints and metrics go; None in every process but the main one.
        """
        self.network, self.phases, self.settings, self.runtime = network, phases, settings, runtime
        self._run = SharedRun(run, runtime.processes)
        self._checkpoints = Checkpoints(self._run, runtime.processes, settings.keep_checkpoints)
        self.state = self._checkpoints.state
        self.selection = Selection(
            _learned_by_any(network, phases), settings, runtime, self._run, self._checkpoints.best
        )
        # A weighting that learns from the losses of a step must have them before the next one, and
        # a step that is computed again must find the scales of targets as they were.
        reads_first = settings.weighting.observes or network.running_targets
        self._reads_late = _reads_late(runtime.device) and not reads_first
        self._launched: LaunchedStep | None = None
        self._halted = torch.zeros((), device=runtime.device)
        """1 from a step that is not finite until it has been dealt with, else 0."""
        self._interruption = Interruption()
        self._started = time.perf_counter()
        self._run.on_main(lambda folder: folder.start_metrics(self.state.step))

    def train(self) -> bool:
        """Train to the end; False if interrupted, with everything saved."""
        self._started = time.perf_counter() - self.state.run_seconds
        # May take minutes, in which nothing can be lost: a signal ends it at once.
        data = self._next_data()
        echo = _ECHO_SECONDS if self.runtime.processes.size == 1 else _ECHO_SECONDS_OF_MANY
        with watch_interruption(echo) as self._interruption:
            while data is not None:
                if not self._train_phase(self._start_phase(data)):
                    return False
                data = self._next_data()
        self.state.run_seconds = time.perf_counter() - self._started
        return True

    def load_best(self) -> None:
        """Give the network the weights of its best evaluation, in the main process."""
        self.selection.load_best()
        load_best_scales(self.network, self.state)

    # Phases

    def _next_data(self) -> PhaseData | None:
        """The data of the phase that is to be trained next; None when all are complete."""
        state = self.state
        while state.phase < len(self.phases):
            phase = self.phases[state.phase]
            if state.epoch < phase.epochs and not state.stopped_early:
                return phase.prepare()
            if self._checkpoints.loaded is not None:  # it was stopped at the very end of a phase
                self._checkpoints.restore(make_learner(self.network, phase, self.settings))
            state.phase, state.epoch, state.step_in_epoch = state.phase + 1, 0, 0
            state.phase_step, state.waited, state.stopped_early = 0, 0, False
        return None

    def _start_phase(self, data: PhaseData) -> ActivePhase:
        state, phase = self.state, self.phases[self.state.phase]
        memory = self.runtime.memory
        memory.token_budget = min(memory.token_budget, state.token_budget)
        learner = make_learner(self.network, phase, self.settings)
        methods = PhaseMethods(self.settings, list(data.sources), state)
        gradients = GradientStep(self.network, data, self.settings, self.runtime, state, methods)
        self._checkpoints.restore(learner)
        targets = RunningTargets(self.network, learner, state)
        if state.phase_step == 0:
            state.stages = []
            state.tokens += data.encoded_tokens
            state.encoding_seconds += data.encoding_seconds
        before = sum(earlier.epochs for earlier in self.phases[: state.phase])
        length = epoch_length(self.settings.batching, phase.spec)
        bar = ProgressBar(phase.name, length * phase.epochs, state.phase_step)
        return ActivePhase(phase, data, learner, methods, gradients, targets, bar, length, before)

    def _train_phase(self, active: ActivePhase) -> bool:
        """Train a phase to its end; False if interrupted, with everything saved."""
        state, phase, settings = self.state, active.phase, self.settings
        with active.bar:
            while state.epoch < phase.epochs and not state.stopped_early:
                plan = plan_epoch(settings.batching, phase.spec, state.epoch, self.runtime.seed)
                for position, step in enumerate(plan):
                    if position < state.step_in_epoch:
                        continue
                    self._train_step(active, step)
                    state.step_in_epoch += 1
                    last = state.step_in_epoch == active.epoch_steps
                    if last:
                        active.methods.end_epoch()
                        state.epoch, state.step_in_epoch = state.epoch + 1, 0
                    self._after_step(active, last, [t for t, b in step.items() if b.ends_stage])
                    if self.runtime.processes.any(self._interruption.requested):
                        self._save_checkpoint(active)
                        return False
                    if state.stopped_early:
                        break
        return True

    # Steps

    def _train_step(self, active: ActivePhase, step: SuperBatch) -> None:
        """One step: launch it, and settle the one before it; on a CPU, settle this one too."""
        state = self.state
        started, cpu_started = time.perf_counter(), time.process_time()
        step = active.methods.used(step, active.at(state))
        active.targets.observe(followed(step), active.data.sources)
        try:
            launched = self._launch(active, step)
        except Exception:
            if self.runtime.processes.size == 1:
                self._settle(active)  # what went wrong in the step before comes first
            raise
        if not self._settle(active):
            launched = self._launch(active, step)
        self._launched = launched
        state.step, state.phase_step = state.step + 1, state.phase_step + 1
        tokens, encoded = active.data.tokens(step)
        state.tokens += encoded
        if not self._reads_late:
            self._settle(active)
        state.step_seconds += time.perf_counter() - started
        state.step_cpu_seconds += time.process_time() - cpu_started
        active.bar.advance(tokens)

    def _launch(self, active: ActivePhase, step: SuperBatch) -> LaunchedStep:
        """Compute a step and update the weights on the device, without waiting for the result."""
        counts, at = active.learner.optimizer.counts(), active.at(self.state)
        result = active.gradients.launch(step, at)
        torch.maximum(self._halted, result.found_inf, out=self._halted)
        factor = active.set_rates(self.settings, self.state)
        self._update(active, result.norm)
        return LaunchedStep(step, at, factor, counts, result)

    def _settle(self, active: ActivePhase) -> bool:
        """Read the results of the step that was launched last, if they have not been read.

        Returns:
            Whether it was finite. If not, it has been computed again without what was not, and
            nothing that was launched after it has changed the weights.

        Raises:
            NonFiniteLoss: it was not, and the policy is to stop.
        """
        launched, self._launched = self._launched, None
        if launched is None:
            return True
        result, factor = launched.result.read(), launched.factor
        finite = result.is_finite
        if not finite:
            result, factor = self._compute_again(active, launched)
        warn_of_explosions(result.losses, self.state)
        add_losses(active.in_label_units(result.losses), self.state)
        self._watch_balance(active, launched, result)
        if self._logs_step(active, launched, result):
            self._run.log(active.record(launched, result, factor, self.state))
        active.methods.settle(result, launched.at)
        return finite

    def _watch_balance(
        self, active: ActivePhase, launched: LaunchedStep, result: StepResult
    ) -> None:
        """Say it when one task's gradient has been many times the others' for a while."""
        if active.methods.watches(self.state.step, launched.at):
            found = dominant(result.task_norms, result.losses, self.state.first_losses)
            warn_of_imbalance(found, self.network.tasks, self.state)

    def _logs_step(self, active: ActivePhase, launched: LaunchedStep, result: StepResult) -> bool:
        """Whether the step that has just been read is logged; so is every one that was measured."""
        methods, number = active.methods, self.state.step
        measured = result.gradients.gram is not None and methods.measures(number)
        extra = measured and not methods.aggregator(launched.at).needs_gram
        return number == 1 or number % self.settings.log_every == 0 or extra

    def _compute_again(
        self, active: ActivePhase, launched: LaunchedStep
    ) -> tuple[StepResult, float]:
        """Undo a step and compute it without what was not finite; its result and rates' factor."""
        state, policy = self.state, self.settings.non_finite
        active.learner.optimizer.take_back(launched.counts)
        self._halted.zero_()
        number = state.step
        state.step, state.phase_step = state.step - 1, state.phase_step - 1
        result, faults = active.gradients.compute_finite(launched.step, launched.at)
        for fault in faults:
            self._run.log(fault.record(active.epoch_number(launched.at), number, policy))
        if faults:
            apply_policy(policy, faults, state, number, self.runtime.processes)
        factor = active.set_rates(self.settings, state)
        if result.losses:
            self._update(active, torch.tensor(result.norm, device=self.runtime.device))
        active.gradients.clear()
        state.step, state.phase_step = state.step + 1, state.phase_step + 1
        return result, factor

    def _update(self, active: ActivePhase, norm: Tensor) -> None:
        """Clip and update, where nothing was found that is not finite; drop the gradients."""
        learner, clip = active.learner, self.settings.clip
        scale = None if clip is None else (norm.double() / clip).clamp(min=1).float()
        learner.optimizer.step(grad_scale=scale, found_inf=self._halted)
        if learner.average is not None:
            learner.average.update(self.state.phase_step + 1, self._halted)
        active.gradients.clear()

    # Between steps

    def _after_step(self, active: ActivePhase, epoch_ended: bool, ended: Sequence[str]) -> None:
        """Evaluate and save when it is time; in that order, so that a checkpoint has the scores.

        Args:
            active: the phase.
            epoch_ended: whether the step was the last of its epoch.
            ended: tasks whose stage ended with the step.
        """
        state, settings = self.state, self.settings
        every = settings.evaluate_every
        last = epoch_ended and state.epoch == active.phase.epochs
        due = epoch_ended if every is None else state.step % every == 0
        if due or last or ended:
            scores = self._evaluate(active)
            state.stages += [Stage(task, state.step, scores) for task in ended]
        apart = settings.checkpoint_every
        assert apart != "auto"
        if epoch_ended if apart is None else state.step % apart == 0:
            self._save_checkpoint(active)

    def _evaluate(self, active: ActivePhase) -> dict[str, float | None]:
        """Score the weights, or their average if there is one, and keep them if they are better.

        Returns:
            The main metric of each task on dev.
        """
        self._finish_step(active)
        epoch = active.epochs_before + self.state.epoch + (self.state.step_in_epoch > 0)
        average = active.learner.average
        with nullcontext() if average is None else average.in_place():
            return self.selection.evaluate(
                lambda: active.data.evaluate(self.network), self.state, epoch, active.bar.say
            )

    def _save_checkpoint(self, active: ActivePhase) -> None:
        self._finish_step(active)
        self.state.run_seconds = time.perf_counter() - self._started
        self._checkpoints.save(active.learner, self.state, self.selection.best)

    def _finish_step(self, active: ActivePhase) -> None:
        """Settle the last step where no other follows at once; the wait is part of its time."""
        started = time.perf_counter()
        self._settle(active)
        self.state.step_seconds += time.perf_counter() - started


def _learned_by_any(network: MultitaskNetwork, phases: Sequence[Phase]) -> dict[str, Parameter]:
    """The parameters that learn in any phase, by name."""
    shared, own = (any(p.trains_encoder for p in phases), any(p.trains_own for p in phases))
    return network.learning(shared=shared, own=own).all


def _reads_late(device: torch.device) -> bool:
    """Whether a step is read while the next one is computed: on a CPU nothing is gained by it."""
    return device.type == "cuda"
