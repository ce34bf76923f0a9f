"""Mean squared error: one output, for a regression or for two classes coded 0 and 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.base import Prediction
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["average", "cosine_start", "decode", "losses", "outputs"]


def outputs(task: TaskSettings) -> int:
    """The value itself."""
    return 1


def losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """Squared differences, `[examples]`."""
    return functional.mse_loss(outputs.squeeze(1), labels, reduction="none")


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """The value, within the task's range if it has one; of two classes, class 1 above 0.5."""
    values = outputs[:, 0]
    if task.kind.is_classification:
        names = task.class_names
        return [Prediction(int(v > 0.5), names[int(v > 0.5)], float(v), None) for v in values]
    values = _in_range(task, values)
    return [Prediction(float(v), None, float(v), None) for v in values]


def average(task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the values, each within the task's range."""
    mean: NDArray[np.float64] = _in_range(task, outputs).mean(axis=0)
    return mean


def cosine_start(task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
    """From the lower end of the task's range to the upper one.

    Without a range, from two standard deviations below the mean to two above; of raw labels, from
    0 to 1.
    """
    if scale == RAW:
        low, high = task.range or (0.0, 1.0)
        return high - low, low
    ends = (-2.0, 2.0)
    if task.range is not None:
        ends = (
            (task.range[0] - scale.mean) / scale.deviation,
            (task.range[1] - scale.mean) / scale.deviation,
        )
    return ends[1] - ends[0], ends[0]


def _in_range(task: TaskSettings, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values within the task's range; what is no number stays so, and is refused."""
    if task.range is None:
        return values
    return np.where(np.isfinite(values), np.clip(values, *task.range), values)
