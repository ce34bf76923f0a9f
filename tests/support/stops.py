"""Runs that are stopped between two steps and can go on."""

import shutil

import pytest

from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer


def stopped_run(toy, folder, monkeypatch):
    """A run on data and an encoder of its own, stopped after two steps; goes on when called."""
    own = folder / "own"
    shutil.copytree(toy.folder, own, ignore=shutil.ignore_patterns("runs"))
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested |= self.state.step == 2

    changes = {"data": {"dir": str(own)}, "encoder": {"path": str(own / "encoder")}}
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Trainer, "_after_step", stopping)
        toy.train(folder / "run", "sst", **changes)
    return lambda **more: toy.train(folder / "run", "sst", resume=True, **changes, **more)


def stop_after_every_step(patch):
    """Let every run ask for a stop after each of its steps."""
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested = True

    patch.setattr(Trainer, "_after_step", stopping)


def train_in_parts(monkeypatch, steps, train):
    """Call `train` again and again, of which each but the last call is stopped after a step."""
    with monkeypatch.context() as patch:
        stop_after_every_step(patch)
        for _ in range(steps):
            with pytest.raises(Interrupted):
                train()
        return train()
