r"""Proportional odds for classes in order: one score and a threshold between each two neighbours.

The head gives one score g(x), and thresholds b_1 > b_2 > … > b_{K-1} that are the same for every
text. With z_k = g(x) + b_k,

    P(y >= k) = sigmoid(z_k),    P(y = k) = sigmoid(z_k) - sigmoid(z_{k+1}),

where P(y >= 0) = 1 and P(y >= K) = 0. The loss is -log P(y = label). Source: McCullagh, Regression
Models for Ordinal Data, 1980, section 2 (the proportional-odds model). As in CORAL (Cao, Mirjalili,
Raschka, 2020) all thresholds share one slope; there they come to be in order by training, here
they are so at every step, so that the probabilities of the classes are never negative.

The answer is the median: the highest class k with P(y >= k) above 1/2. Of all answers it has the
smallest expected distance in ranks. A class that lies between two others may be the median of some
text without being the most probable class of any.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.base import Prediction
from mtbert.objectives.means import mean_of_sigmoid
from mtbert.objectives.target_scale import RAW, TargetScale

__all__ = ["average", "cosine_start", "decode", "losses", "outputs"]


def outputs(task: TaskSettings) -> int:
    """The logits of "at least class k" for k from 1 on, falling."""
    return len(task.class_names) - 1


def losses(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of the label, `[examples]`.

    For z > w, sigmoid(z) - sigmoid(w) = sigmoid(z) * sigmoid(-w) * (1 - exp(w - z)): the logarithms
    of these three are exact where the difference itself has no digits left.
    """
    infinite = outputs.new_full((len(outputs), 1), torch.inf)
    at_least = torch.cat((infinite, outputs), dim=1)
    above = torch.cat((outputs, -infinite), dim=1)
    chosen = labels.long().unsqueeze(1)
    z, w = at_least.gather(1, chosen).squeeze(1), above.gather(1, chosen).squeeze(1)
    # Infinite at the ends, where log(1 - exp(w - z)) is 0 and has no gradient.
    width = (z - w).clamp(min=torch.finfo(outputs.dtype).eps, max=1e4)
    log_between = torch.log(-torch.expm1(-width))
    return -(functional.logsigmoid(z) + functional.logsigmoid(-w) + log_between)


def decode(task: TaskSettings, outputs: NDArray[np.float64]) -> list[Prediction]:
    """The median class, with the probability of each."""
    names = task.class_names
    at_least = np.exp(-np.logaddexp(0, -outputs))
    ends = np.ones((len(outputs), 1))
    probabilities = -np.diff(np.hstack([ends, at_least, 0 * ends]), axis=1)
    medians = (at_least > 0.5).sum(axis=1)
    return [
        Prediction(int(k), names[k], float(row[k]), dict(zip(names, row.tolist(), strict=True)))
        for k, row in zip(medians, probabilities, strict=True)
    ]


def average(task: TaskSettings, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of the mean probabilities of "at least class k"."""
    return mean_of_sigmoid(outputs)


def cosine_start(task: TaskSettings, scale: TargetScale = RAW) -> tuple[float, float]:
    """Refused: a cosine head has no thresholds.

    Raises:
        ValueError: always; settings do not allow it.
    """
    raise ValueError("the thresholds of ordinal classes are not those of a cosine")
