"""Evaluation during training, and selection of the best weights."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import Parameter

from mtbert.config.selection import BALANCED, parse_select
from mtbert.config.training import TrainingSettings
from mtbert.hardware.runtime import Runtime
from mtbert.inference.evaluate import Evaluation
from mtbert.io.atomic import finite
from mtbert.runs.scores import main_metric
from mtbert.runs.shared import SharedRun
from mtbert.runs.state import State
from mtbert.training.losses import losses_line, take_means
from mtbert.training.resume import load_weights

__all__ = ["Selection"]

_log = logging.getLogger(__name__)


class Selection:
    """Which evaluation was the best, and the weights it was of.

    Attributes:
        best: those weights, by name, in the main process; elsewhere {}. None before the first
            evaluation.
    """

    def __init__(
        self,
        learned: Mapping[str, Parameter],
        settings: TrainingSettings,
        runtime: Runtime,
        run: SharedRun,
        best: dict[str, Tensor] | None,
    ) -> None:
        """Begin, or go on.

        Args:
            learned: the parameters that learn in any phase, by name.
            settings: the training section.
            runtime: of the run.
            run: where predictions and scores go.
            best: the best weights so far.
        """
        self._learned, self._settings, self._runtime, self._run = learned, settings, runtime, run
        self.best = best

    def evaluate(
        self, score: Callable[[], Evaluation], state: State, epoch: int, say: Callable[[str], None]
    ) -> dict[str, float | None]:
        """Score the weights as they are, and keep them if they are better than all before.

        Args:
            score: evaluates the network.
            state: of the run; scores, the time it took and the patience left change in it.
            epoch: its number in the log.
            say: takes a line for people.

        Returns:
            The main metric of each task.
        """
        started = time.perf_counter()
        found = score()
        state.token_budget = self._runtime.memory.token_budget
        state.evaluation_seconds += time.perf_counter() - started
        value = self._runtime.processes.broadcast_number(
            found.selection_score(self._settings.select)
        )
        train_losses = take_means(state)
        better = self.best is None or self._beats(value, state.best_score)
        gains = better and value != state.best_score
        state.waited = 0 if gains else state.waited + 1
        if better:
            self._keep(found, value, state, epoch)
        patience = self._settings.patience
        state.stopped_early = patience is not None and state.waited >= patience
        self._run.log(
            {
                "kind": "dev",
                "epoch": epoch,
                "step": state.step,
                "dev": found.dev,
                **({"others": found.others} if found.others else {}),
                "loss": found.losses,
                "train_loss": train_losses,
                "score": value,
                "best": better,
            }
        )
        _say_scores(found, f"epoch {epoch}, step {state.step}", better, say)
        say(losses_line(train_losses, found))
        return {task: None if math.isnan(value) else value for task, value in found.main.items()}

    def _beats(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best one so far, which may be undefined.

        Few dev rows have few scores: all may be right in the first epoch. `balanced` then keeps
        the weights that were trained longer; the other scores keep the first, as they always did.
        """
        if math.isnan(value) or best is None:
            return not math.isnan(value)
        if self._settings.select == BALANCED:
            return value >= best
        chosen = parse_select(self._settings.select)
        return value < best if chosen is not None and chosen.lower_is_better else value > best

    def _keep(self, found: Evaluation, value: float, state: State, epoch: int) -> None:
        state.best_score = None if math.isnan(value) else value
        state.best_step, state.best_epoch = state.step, epoch
        state.best_dev, state.best_others = finite(found.dev), finite(found.others)
        state.best_target_scales = dict(state.target_scales)
        state.best_one_answer = {n: what for n, what in found.one_answer.items() if n in found.dev}
        learned = self._learned if self._runtime.processes.is_main else {}
        self.best = {name: p.detach().cpu().clone() for name, p in learned.items()}
        self._run.on_main(lambda folder: folder.write_predictions(found.predictions))

    def load_best(self) -> None:
        """Give the main process's network the weights of its best evaluation."""
        if self.best is not None and self._runtime.processes.is_main:
            source = f"{self._run.folder.checkpoints}: the best weights"
            load_weights(source, self.best, self._learned)


def _say_scores(found: Evaluation, where: str, better: bool, say: Callable[[str], None]) -> None:
    shown = "  ".join(
        f"{task} {(name := main_metric(metrics))} {metrics[name]:.4f}"
        for task, metrics in found.dev.items()
    )
    for name, reason in found.undefined.items():
        _log.warning("%s: the scores are undefined: %s", name, reason)
    say(f"{where}: {shown}{'  (best so far)' if better else ''}")
