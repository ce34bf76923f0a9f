"""The training loop: the only place that changes weights.

A run is one or two phases (heads on frozen features, then everything); a phase is epochs; an
epoch is the steps of its plan. All that the loop remembers is in `State`, so a checkpoint is that
and the tensors.

Several processes go through the same steps with the same weights. Of the run folder only the first
one knows: it reads, writes and decides, the others are told.

A step is launched first and read afterwards: what it computed updates the weights on the device
alone, which leaves them as they are where something is not finite, and every later step does too
until the host has looked. On a GPU the host looks one step late, so that the GPU always has work;
on a CPU at once. A step that was not finite is then computed again with care, and what was
launched after it once more. Everything random is a function of the step's number, so the results
are the same bits either way, unless memory runs out in between.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from mtbert.config.training import TrainingSettings
from mtbert.console.interrupt import watch_interruption
from mtbert.console.progress import Progress
from mtbert.distributed.processes import ALONE, Processes
from mtbert.errors import TrainingError
from mtbert.hardware.memory import Memory
from mtbert.io.atomic import finite
from mtbert.methods.sampling.base import SuperBatch
from mtbert.methods.sampling.epoch import epoch_length, plan_epoch
from mtbert.model.network import MultitaskNetwork
from mtbert.runs import checkpoint as checkpoints
from mtbert.runs.checkpoint import Checkpoint
from mtbert.runs.folder import RunFolder
from mtbert.runs.state import Phase, Scores, State
from mtbert.training.ema import WeightAverage
from mtbert.training.nonfinite import Computed, explodes
from mtbert.training.optimizer import AdamW, parameter_groups, rate_factor
from mtbert.training.step import Outcome, StepComputation

_log = logging.getLogger(__name__)

__all__ = ["Trainer"]


@dataclass(frozen=True, slots=True)
class _Launched:
    """A step whose losses and norm have not been read yet.

    Attributes:
        phase: to which it belongs, and
        total: the steps of that.
        step: the tasks' batches.
        epoch: its number in the log.
        factor: of the learning rates.
        counts: updates of each parameter before it.
        outcome: what it computed.
    """

    phase: Phase
    total: int
    step: SuperBatch
    epoch: int
    factor: float
    counts: Mapping[Tensor, int]
    outcome: Outcome


_ECHO_SECONDS, _ECHO_SECONDS_OF_MANY = 1.0, 5.0
"""One stop may be heard twice: sent to every process of a job, and passed on by the launcher."""


class Trainer:
    """One run, from its state to its end."""

    def __init__(
        self,
        network: MultitaskNetwork,
        phases: list[Phase],
        settings: TrainingSettings,
        seed: int,
        run: RunFolder | None,
        log: Callable[[Mapping[str, Any]], None] | None = None,
        memory: Memory | None = None,
        processes: Processes = ALONE,
    ) -> None:
        """Start afresh, or from the run's newest checkpoint if it has one.

        Args:
            network: on its device; its weights are replaced by a checkpoint's.
            phases: in order.
            settings: the training section.
            seed: of all orders, dropout and surgery.
            run: where checkpoints and metrics go; None for every process but the first.
            log: receives every logged record beside metrics.jsonl.
            memory: what may be taken; evaluation shares it. Default: all there is.
            processes: that train together.
        """
        self.network, self.phases, self.settings = network, phases, settings
        self.seed, self._run = seed, run
        self.state = State()
        self.best: dict[str, Tensor] | None = None
        self._also_log = log
        self._memory = Memory() if memory is None else memory
        self._processes = processes
        self._device = next(network.heads.parameters()).device
        self._reads_late = _reads_late(self._device)
        self._launched: _Launched | None = None
        self._halted = torch.zeros((), device=self._device)
        """1 from a step that is not finite until it has been dealt with, else 0."""
        self._loaded: Checkpoint | None = None
        found = processes.from_first(self._find_checkpoint)
        if found is not None and not processes.first:
            state, has_best = found
            self._adopt(Checkpoint(state, {}, {}, {} if has_best else None), "process 0")
        processes.from_first(lambda: self.run.start_metrics(self.state.step))

    @property
    def run(self) -> RunFolder:
        """The run folder, of which only the first process knows."""
        assert self._run is not None
        return self._run

    def _find_checkpoint(self) -> list[Any] | None:
        """Load the newest checkpoint; returns what the other processes need to know of it."""
        loaded = checkpoints.load_newest(self.run.checkpoints)
        if loaded is None:
            return None
        self._adopt(loaded, f"{self.run.checkpoints}: state.json")
        return [loaded.state, loaded.best is not None]

    def _adopt(self, loaded: Checkpoint, source: str) -> None:
        self.state = State.from_json(loaded.state, source)
        self.best = loaded.best
        self._memory.token_budget = min(self._memory.token_budget, self.state.token_budget)
        self._loaded = loaded

    def train(self) -> bool:
        """Train to the end; False if interrupted, with everything saved."""
        self._started = time.perf_counter() - self.state.run_seconds
        echo = _ECHO_SECONDS if self._processes.size == 1 else _ECHO_SECONDS_OF_MANY
        with watch_interruption(echo) as self._interruption:
            while self.state.phase < len(self.phases):
                if not self._train_phase(self.phases[self.state.phase]):
                    self._save_checkpoint()
                    return False
                self._next_phase()
        self.state.run_seconds = time.perf_counter() - self._started
        return True

    def load_best(self) -> None:
        """Give the first process's network the weights of its best evaluation."""
        if self.best is not None and self._processes.first:
            self._load(self.best, self._learned_by_all_phases(), "the best weights")

    @torch.no_grad()
    def _load(
        self, weights: Mapping[str, Tensor], parameters: Mapping[str, Parameter], title: str
    ) -> None:
        """Copy weights by name; they must be those of the parameters."""
        checkpoints.check_fit(f"{self.run.checkpoints}: {title}", weights, parameters)
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])

    def _next_phase(self) -> None:
        state = self.state
        state.phase, state.epoch, state.step_in_epoch, state.phase_step = state.phase + 1, 0, 0, 0
        state.waited, state.stopped_early = 0, False

    def _train_phase(self, phase: Phase) -> bool:
        state = self.state
        self._start_phase(phase)
        length = epoch_length(self.settings.batching, phase.spec)
        total = length * phase.epochs
        with Progress(phase.name, total, state.phase_step) as self._progress:
            while state.epoch < phase.epochs and not state.stopped_early:
                plan = plan_epoch(self.settings.batching, phase.spec, state.epoch, self.seed)
                for position, step in enumerate(plan):
                    if position < state.step_in_epoch:
                        continue
                    self._train_step(phase, step, total)
                    state.step_in_epoch += 1
                    last = state.step_in_epoch == length
                    if last:
                        state.epoch, state.step_in_epoch = state.epoch + 1, 0
                    self._after_step(phase, last)
                    if self._processes.any(self._interruption.requested):
                        return False
                    if state.stopped_early:
                        break
        return True

    def _start_phase(self, phase: Phase) -> None:
        for parameter in self.network.encoder.parameters():
            parameter.requires_grad_(phase.trains_encoder)
        shared = self.network.shared_parameters() if phase.trains_encoder else {}
        self._learning: dict[str, Parameter] = {**shared, **self.network.head_parameters()}
        self._optimizer = AdamW(
            parameter_groups(
                shared,
                self.network.head_parameters(),
                learning_rate=phase.learning_rate,
                head_learning_rate=phase.head_learning_rate,
                weight_decay=self.settings.weight_decay,
            )
        )
        self._computation = StepComputation(
            self.network,
            phase,
            self.settings,
            self.seed,
            self.state,
            shared=list(shared.values()),
            learning=list(self._learning.values()),
            memory=self._memory,
            processes=self._processes,
            record=self._record,
        )
        decay = self.settings.average
        self._average = None if decay is None else WeightAverage(self._learning, decay)
        if self._loaded is not None:
            self._restore(self._loaded)
            self._loaded = None
        moments, _ = checkpoints.optimizer_moments(self._optimizer)
        average = {} if self._average is None else self._average.weights
        self._processes.copy_first([*self._learning.values(), *moments.values(), *average.values()])
        if self.state.phase_step == 0:
            self.state.tokens += phase.encoded_tokens
            self.state.encoding_seconds += phase.encoding_seconds

    def _restore(self, loaded: Checkpoint) -> None:
        """Weights, moments and average; in other processes than the first, places for them."""

        def restore() -> None:
            self._load(loaded.weights, self._learning, "the weights")
            checkpoints.restore_moments(self._optimizer, loaded.moments, self.state.updates)
            if self._average is not None:
                source = f"{self.run.checkpoints}: the average"
                checkpoints.check_fit(source, loaded.average or {}, self._average.weights)
                self._average.restore(loaded.average or {})

        self._processes.from_first(restore)
        if not self._processes.first:
            empty = {
                f"{name}.{moment}": torch.empty_like(self._learning[name])
                for name in self.state.updates
                for moment in ("exp_avg", "exp_avg_sq")
            }
            checkpoints.restore_moments(self._optimizer, empty, self.state.updates)

    def _train_step(self, phase: Phase, step: SuperBatch, total: int) -> None:
        """Per-task gradients, surgery, clipping, update."""
        state = self.state
        started, cpu_started = time.perf_counter(), time.process_time()
        try:
            launched = self._launch(phase, step, total)
        except Exception:
            if self._processes.size == 1:
                self._settle()  # what went wrong in the step before comes first
            raise
        if not self._settle():
            launched = self._launch(phase, step, total)
        self._launched = launched
        state.step, state.phase_step = state.step + 1, state.phase_step + 1
        tokens = sum(
            int(phase.sources[task].lengths[batch.indices].sum()) for task, batch in step.items()
        )
        if not phase.encoded_tokens:
            state.tokens += tokens
        if not self._reads_late:
            self._settle()
        state.step_seconds += time.perf_counter() - started
        state.step_cpu_seconds += time.process_time() - cpu_started
        self._progress.advance(tokens)

    def _launch(self, phase: Phase, step: SuperBatch, total: int) -> _Launched:
        """Compute a step and update the weights, of which nothing is known but on the device."""
        counts = self._optimizer.counts()
        outcome = self._computation.launch(step)
        torch.maximum(self._halted, outcome.found_inf, out=self._halted)
        factor = self._set_rates(total)
        self._update(outcome.norm)
        epoch = self._epochs_before() + self.state.epoch + 1
        return _Launched(phase, total, step, epoch, factor, counts, outcome)

    def _settle(self) -> bool:
        """Read the step that was launched last, if it has not been read.

        Returns:
            Whether it was finite. If not, it has been computed again without what was not, and
            nothing that was launched after it has changed the weights.

        Raises:
            NonFiniteLoss: it was not, and the policy is to stop.
        """
        launched, self._launched = self._launched, None
        if launched is None:
            return True
        computed = launched.outcome.read()
        finite = all(map(math.isfinite, (computed.norm, *computed.losses.values())))
        factor = launched.factor
        if not finite:
            self._optimizer.take_back(launched.counts)
            self._halted.zero_()
            state = self.state
            state.step, state.phase_step = state.step - 1, state.phase_step - 1
            computed = self._computation.compute(launched.step, launched.epoch)
            factor = self._set_rates(launched.total)
            if computed.losses:
                self._update(torch.tensor(computed.norm, device=self._device))
            self._computation.clear()
            state.step, state.phase_step = state.step + 1, state.phase_step + 1
        self._watch_losses(computed.losses)
        measured = computed.gradients.gram is not None and not self.settings.surgery.needs_gram
        if self.state.step == 1 or self.state.step % self.settings.log_every == 0 or measured:
            self._log_step(launched, computed, factor)
        return finite

    def _finish_step(self) -> None:
        """Settle the last step where no further one follows at once; the wait is a step's time."""
        started = time.perf_counter()
        self._settle()
        self.state.step_seconds += time.perf_counter() - started

    def _set_rates(self, total: int) -> float:
        """Set the learning rates of the next update; returns their factor."""
        settings = self.settings
        factor = rate_factor(settings.schedule, settings.warmup, self.state.phase_step, total)
        factor *= self.state.rate_factor
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return factor

    def _update(self, norm: Tensor) -> None:
        """Clip and update, where nothing was found that is not finite; drop the gradients."""
        self._optimizer.step(grad_scale=self._shortening(norm), found_inf=self._halted)
        if self._average is not None:
            self._average.update(self.state.phase_step + 1, self._halted)
        self._computation.clear()

    def _watch_losses(self, losses: Mapping[str, float]) -> None:
        """Say once of a task that its loss explodes."""
        state = self.state
        for task, loss in losses.items():
            first = state.first_losses.setdefault(task, [])
            if explodes(first, loss) and task not in state.exploded:
                state.exploded[task] = state.step
                _log.warning(
                    "task %s, step %d: the loss explodes: %.3g, at first it was %.3g",
                    task, state.step, loss, sum(first) / len(first),
                )  # fmt: skip

    def _after_step(self, phase: Phase, epoch_ended: bool) -> None:
        """Evaluate, save and report when it is time; in that order, so a save knows the scores."""
        state, settings = self.state, self.settings
        every = settings.evaluate_every
        last = epoch_ended and state.epoch == phase.epochs
        due = epoch_ended if every is None else state.step % every == 0
        if due or last:
            self._evaluate(phase)
        every = settings.checkpoint_every
        if epoch_ended if every is None else state.step % every == 0:
            self._save_checkpoint()

    def _evaluate(self, phase: Phase) -> None:
        """Score the weights, or their average if there is one, and keep them if they are better."""
        self._finish_step()
        with nullcontext() if self._average is None else self._average.in_place():
            self._evaluate_weights(phase)

    def _evaluate_weights(self, phase: Phase) -> None:
        state = self.state
        started = time.perf_counter()
        scores = phase.evaluate(self.network)
        state.token_budget = self._memory.token_budget
        state.evaluation_seconds += time.perf_counter() - started
        score = self._processes.number(scores.selection_score(self.settings.select))
        epoch = self._epochs_before() + state.epoch + (state.step_in_epoch > 0)
        better = self.best is None or (
            not math.isnan(score) and score > _or_lowest(state.best_score)
        )
        state.waited = 0 if better else state.waited + 1
        if better:
            self._keep_best(scores, score, epoch)
        patience = self.settings.patience
        state.stopped_early = patience is not None and state.waited >= patience
        self._record(
            {
                "kind": "dev",
                "epoch": epoch,
                "step": state.step,
                "dev": scores.dev,
                **({"others": scores.others} if scores.others else {}),
                "score": score,
                "best": better,
            }
        )
        self._say_scores(scores, epoch, better)

    def _keep_best(self, scores: Scores, score: float, epoch: int) -> None:
        state = self.state
        state.best_score = None if math.isnan(score) else score
        state.best_step, state.best_epoch = state.step, epoch
        state.best_dev, state.best_others = finite(scores.dev), finite(scores.others)
        learned = self._learned_by_all_phases() if self._processes.first else {}
        self.best = {name: p.detach().cpu().clone() for name, p in learned.items()}
        self._processes.from_first(lambda: self.run.write_predictions(scores.predictions))

    def _learned_by_all_phases(self) -> dict[str, Parameter]:
        learned = self.network.head_parameters()
        if any(phase.trains_encoder for phase in self.phases):
            learned = {**self.network.shared_parameters(), **learned}
        return learned

    def _say_scores(self, scores: Scores, epoch: int, better: bool) -> None:
        shown = "  ".join(
            f"{task} {name} {value:.4f}"
            for task, metrics in scores.dev.items()
            for name, value in list(metrics.items())[:1]
        )
        for name, reason in scores.undefined.items():
            _log.warning("%s: the scores are undefined: %s", name, reason)
        mark = "  (best so far)" if better else ""
        self._progress.say(f"epoch {epoch}, step {self.state.step}: {shown}{mark}")

    def _epochs_before(self) -> int:
        """Epochs of the phases that are over."""
        return sum(phase.epochs for phase in self.phases[: self.state.phase])

    def _save_checkpoint(self) -> None:
        self._finish_step()
        self.state.run_seconds = time.perf_counter() - self._started
        moments, self.state.updates = checkpoints.optimizer_moments(self._optimizer)
        state = dataclasses.asdict(self.state)
        average = None if self._average is None else self._average.weights
        checkpoint = Checkpoint(state, dict(self._learning), moments, self.best, average)
        self._check_alike()
        self._processes.from_first(lambda: self._write_checkpoint(checkpoint))

    def _write_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.run.sync_metrics()
        checkpoints.save(
            self.run.checkpoints, self.state.step, checkpoint, self.settings.keep_checkpoints
        )

    def _check_alike(self) -> None:
        """Refuse to save weights that are not the same bits in every process.

        Raises:
            TrainingError: names the process.
        """
        if self._processes.size == 1:
            return
        bits = [p.detach().view(torch.int32) for p in self._learning.values()]
        sums = self._processes.gather([int(b.sum(dtype=torch.int64)) for b in bits])
        for rank, found in enumerate(sums):
            if found != sums[0]:
                raise self._processes.everyone(
                    TrainingError(
                        f"step {self.state.step}: the weights of process {rank} are no longer "
                        "those of process 0, so nothing was saved; all machines must have the "
                        "same kind of processor and the same versions. Go on with --resume"
                    )
                )

    def _shortening(self, norm: Tensor) -> Tensor | None:
        """What gradients are divided by so that the whole is no longer than allowed, a scalar."""
        clip = self.settings.clip
        return None if clip is None else (norm.double() / clip).clamp(min=1).float()

    def _log_step(self, launched: _Launched, computed: Computed, factor: float) -> None:
        state, phase = self.state, launched.phase
        record: dict[str, Any] = {
            "kind": "train",
            "phase": phase.name,
            "epoch": launched.epoch,
            "step": state.step,
            "loss": {task: computed.losses.get(task) for task in launched.step},
            "learning_rate": phase.learning_rate * factor if phase.trains_encoder else 0.0,
            "head_learning_rate": phase.head_learning_rate * factor,
            "gradient_norm": computed.norm,
            "tokens": state.tokens,
        }
        self._record(record | computed.gradients.statistics())

    def _record(self, record: Mapping[str, Any]) -> None:
        self._processes.from_first(lambda: self._write_record(record))

    def _write_record(self, record: Mapping[str, Any]) -> None:
        self.run.log(record)
        if self._also_log is not None:
            self._also_log(record)


def _reads_late(device: torch.device) -> bool:
    """Whether a step is read while the next one is computed: on a CPU nothing is gained by it."""
    return device.type == "cuda"


def _or_lowest(score: float | None) -> float:
    return -math.inf if score is None else score
