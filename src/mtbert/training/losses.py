"""The mean training loss of each task since the last evaluation, and the line that shows it."""

from __future__ import annotations

from collections.abc import Mapping

from mtbert.inference.evaluate import Evaluation
from mtbert.runs.state import State

__all__ = ["add_losses", "losses_line", "take_means"]


def add_losses(losses: Mapping[str, float], state: State) -> None:
    """Take in the losses of a step.

    Args:
        losses: of the tasks that took part, in the unit that people know them in.
        state: of the run; `recent_losses` changes in it.
    """
    for task, loss in losses.items():
        total, count = state.recent_losses.get(task, (0.0, 0))
        state.recent_losses[task] = (total + loss, count + 1)


def take_means(state: State) -> dict[str, float]:
    """The mean over the steps that were taken in, by task; and begin anew."""
    means = {task: total / count for task, (total, count) in state.recent_losses.items()}
    state.recent_losses = {}
    return means


def losses_line(train: Mapping[str, float], found: Evaluation) -> str:
    """Each task's loss by name, of training and of dev: `urgency mse 9.87/9.7`."""
    shown = "  ".join(
        f"{task} {found.loss_names[task]} "
        f"{f'{train[task]:.4g}' if task in train else '-'}/{found.losses[task]:.4g}"
        for task in found.dev
    )
    return f"  losses, train/dev: {shown}"
