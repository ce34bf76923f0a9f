"""Resuming and saving a run: its checkpoints, as all processes of the run use them.

Only the main process reads and writes them; it tells the others what they need to know and
broadcasts the tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from mtbert.distributed.processes import Processes
from mtbert.errors import TrainingError
from mtbert.runs import checkpoint as checkpoints
from mtbert.runs.checkpoint import Checkpoint, check_fit
from mtbert.runs.folder import RunFolder
from mtbert.runs.shared import SharedRun
from mtbert.runs.state import State
from mtbert.training.learner import Learner
from mtbert.training.optimizer import optimizer_moments, restore_moments

__all__ = ["Checkpoints", "load_weights"]


class Checkpoints:
    """Finds, restores and saves the checkpoints of one run.

    Attributes:
        state: to start from: the newest checkpoint's, or a fresh one.
        loaded: the newest checkpoint, until it has been restored.
    """

    def __init__(self, run: SharedRun, processes: Processes, keep: int) -> None:
        """Load the newest checkpoint, if there is one.

        Args:
            run: whose checkpoints they are.
            processes: that train together.
            keep: how many to keep.
        """
        self._run, self._processes, self._keep = run, processes, keep
        self.state = State()
        self.loaded: Checkpoint | None = None
        found = run.on_main(self._load_newest)
        if found is not None and not processes.is_main:
            state, has_best = found
            self._adopt(Checkpoint(state, {}, {}, {} if has_best else None), "process 0")

    def _load_newest(self, folder: RunFolder) -> list[Any] | None:
        """Load the newest checkpoint; returns what the other processes need to know of it."""
        loaded = checkpoints.load_newest(folder.checkpoints)
        if loaded is None:
            return None
        self._adopt(loaded, f"{folder.checkpoints}: state.json")
        return [loaded.state, loaded.best is not None]

    def _adopt(self, loaded: Checkpoint, source: str) -> None:
        self.state = State.from_json(loaded.state, source)
        self.loaded = loaded

    @property
    def best(self) -> dict[str, Tensor] | None:
        """The weights of the best evaluation before the checkpoint that is loaded, or None."""
        return None if self.loaded is None else self.loaded.best

    def restore(self, learner: Learner) -> None:
        """Give a learner what was loaded, once; afterwards it is the same in all processes."""
        loaded, self.loaded = self.loaded, None
        if loaded is not None:
            self._run.on_main(lambda folder: self._restore(loaded, learner, folder))
            if not self._processes.is_main:
                _make_room(learner, self.state.updates)
        self._processes.broadcast(learner.tensors())

    def _restore(self, loaded: Checkpoint, learner: Learner, folder: RunFolder) -> None:
        source = str(folder.checkpoints)
        load_weights(f"{source}: the weights", loaded.weights, learner.parameters)
        restore_moments(learner.optimizer, loaded.moments, self.state.updates)
        if learner.average is not None:
            average = loaded.average or {}
            check_fit(f"{source}: the average", average, learner.average.weights)
            learner.average.restore(average)

    def save(self, learner: Learner, state: State, best: dict[str, Tensor] | None) -> None:
        """Save a run where it stands.

        Raises:
            TrainingError: the processes do not have the same weights.
            UserError: it cannot be written.
        """
        moments, state.updates = optimizer_moments(learner.optimizer)
        average = None if learner.average is None else learner.average.weights
        values = dataclasses.asdict(state)
        checkpoint = Checkpoint(values, dict(learner.parameters), moments, best, average)
        self._check_alike(learner, state.step)
        self._run.on_main(lambda folder: self._write(checkpoint, state.step, folder))

    def _write(self, checkpoint: Checkpoint, step: int, folder: RunFolder) -> None:
        folder.sync_metrics()
        checkpoints.save(folder.checkpoints, step, checkpoint, self._keep)

    def _check_alike(self, learner: Learner, step: int) -> None:
        """Refuse to save weights that are not the same bits in every process.

        Raises:
            TrainingError: names the process.
        """
        if self._processes.size == 1:
            return
        bits = [p.detach().view(torch.int32) for p in learner.parameters.values()]
        sums = self._processes.all_gather([int(b.sum(dtype=torch.int64)) for b in bits])
        for rank, found in enumerate(sums):
            if found != sums[0]:
                raise self._processes.raised_by_all(
                    TrainingError(
                        f"step {step}: the weights of process {rank} are no longer "
                        "those of process 0, so nothing was saved; all machines must have the "
                        "same kind of processor and the same versions. Go on with --resume"
                    )
                )


@torch.no_grad()
def load_weights(
    source: str, weights: Mapping[str, Tensor], parameters: Mapping[str, Parameter]
) -> None:
    """Copy weights into parameters, by name.

    Raises:
        UserError: names `source` and what does not fit.
    """
    check_fit(source, weights, parameters)
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])


def _make_room(learner: Learner, updates: Mapping[str, int]) -> None:
    """Allocate the optimizer's moments, to be filled by the main process's broadcast."""
    empty = {
        f"{name}.{moment}": torch.empty_like(learner.parameters[name])
        for name in updates
        for moment in ("exp_avg", "exp_avg_sq")
    }
    restore_moments(learner.optimizer, empty, updates)
