"""Tasks that have learned nothing by the end of a run, and why that may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtbert.config.tasks import TaskSettings
from mtbert.runs.state import State
from mtbert.training.imbalance import is_raw
from mtbert.training.phases.base import Phase

__all__ = ["learned_nothing"]

_FEW_STEPS = 100


def learned_nothing(
    state: State, phases: Sequence[Phase], tasks: Mapping[str, TaskSettings]
) -> list[str]:
    """A message for each task that gives every dev row one answer, by the best weights.

    Args:
        state: of the run, at its end.
        phases: of the run; give the learning rates.
        tasks: of the run.
    """
    return [
        f"task {task}: has learned nothing: {what}. Likely causes: "
        + "; ".join(_causes(task, tasks[task], state, phases))
        for task, what in state.best_one_answer.items()
    ]


def _causes(name: str, task: TaskSettings, state: State, phases: Sequence[Phase]) -> list[str]:
    causes = []
    if is_raw(task):
        causes.append(f"a raw target far from 0: `tasks.{name}.target: standardised`")
    if state.told_dominant not in ("", name):
        causes.append(f"the gradient of task {state.told_dominant} drowns its own (see above)")
    causes.append(f"learning rates too low ({', then '.join(_rates(p) for p in phases)})")
    if state.step < _FEW_STEPS:
        causes.append(f"too few steps ({state.step}): more `training.epochs`")
    return [*causes, "labels that do not follow from the texts"]


def _rates(phase: Phase) -> str:
    heads = f"heads {phase.head_learning_rate:g}"
    below = "encoder" if phase.trains_encoder else "own parts"
    return f"{below} {phase.learning_rate:g}, {heads}" if phase.trains_trunk else heads
