"""What a data set is like, in a few numbers: lengths, classes, the spread of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from mtbert.config.tasks import TaskSettings

if TYPE_CHECKING:
    from mtbert.data.batches import TokenizedSet

__all__ = ["Lengths", "SetProfile", "Values", "profile"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Lengths(_Part):
    """Tokens of an example, special tokens included, as they are encoded."""

    mean: float
    median: float
    p95: float
    longest: int


class Values(_Part):
    """Labels of a regression; the deviation is that of all rows (n)."""

    lowest: float
    mean: float
    deviation: float
    highest: float


class SetProfile(_Part):
    """Of one set of examples.

    Attributes:
        tokens: lengths.
        cut: examples of which some tokens are left out.
        classes: examples of each class or label, by name; empty for a regression.
        unlabelled: of several labels, examples that have none of them.
        values: of a regression.
    """

    tokens: Lengths
    cut: int
    classes: dict[str, int] = {}
    unlabelled: int = 0
    values: Values | None = None


def profile(task: TaskSettings, inputs: TokenizedSet) -> SetProfile:
    """The profile of a labelled set that is not empty."""
    lengths, labels = inputs.lengths, inputs.labels
    found = SetProfile(
        tokens=Lengths(
            mean=float(lengths.mean()),
            median=float(np.median(lengths)),
            p95=float(np.quantile(lengths, 0.95)),
            longest=int(lengths.max()),
        ),
        cut=inputs.truncated,
    )
    return found.model_copy(update=_labels(task, labels))


def _labels(task: TaskSettings, labels: NDArray[np.float64]) -> dict[str, object]:
    names = task.class_names
    if task.kind.is_multilabel:
        counts = zip(names, labels.sum(axis=0), strict=True)
        return {
            "classes": {name: int(count) for name, count in counts},
            "unlabelled": int((labels == 0).all(axis=1).sum()),
        }
    if task.kind.is_classification:
        return {"classes": {name: int((labels == i).sum()) for i, name in enumerate(names)}}
    return {
        "values": Values(
            lowest=float(labels.min()),
            mean=float(labels.mean()),
            deviation=float(labels.std()),
            highest=float(labels.max()),
        )
    }
