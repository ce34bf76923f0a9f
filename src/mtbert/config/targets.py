"""What a task may predict, and which losses it may learn by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from mtbert.config.messages import unknown_name
from mtbert.config.metrics import class_metrics, label_metrics, number_metrics

__all__ = ["LOSSES", "LossRule", "TargetKind", "by_squared_error", "known_loss"]


class TargetKind(StrEnum):
    """What a task predicts, and what follows from it."""

    CLASSIFICATION = "classification"
    PAIR_CLASSIFICATION = "pair_classification"
    MULTILABEL_CLASSIFICATION = "multilabel_classification"
    PAIR_MULTILABEL_CLASSIFICATION = "pair_multilabel_classification"
    REGRESSION = "regression"
    PAIR_REGRESSION = "pair_regression"

    @property
    def is_pair(self) -> bool:
        """Whether a text pair is judged."""
        return self.startswith("pair_")

    @property
    def is_classification(self) -> bool:
        """Whether an example has one class out of several."""
        return self in (TargetKind.CLASSIFICATION, TargetKind.PAIR_CLASSIFICATION)

    @property
    def is_multilabel(self) -> bool:
        """Whether an example has any number of labels out of several, also none."""
        return self.endswith("multilabel_classification")

    @property
    def is_regression(self) -> bool:
        """Whether an example has a number."""
        return self in (TargetKind.REGRESSION, TargetKind.PAIR_REGRESSION)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that every task of this kind has, the main one first."""
        if self.is_regression:
            return number_metrics()
        return label_metrics() if self.is_multilabel else class_metrics()

    @property
    def main_metric(self) -> str:
        """The metric that stands for a task where one number must: it selects the best epoch."""
        return self.metrics[0]

    @property
    def default_loss(self) -> Literal["cross_entropy", "multilabel", "mse"]:
        """The loss of a task that names none."""
        if self.is_multilabel:
            return "multilabel"
        return "cross_entropy" if self.is_classification else "mse"


@dataclass(frozen=True, slots=True)
class LossRule:
    """Which tasks a loss fits; the package `objectives` computes it.

    Attributes:
        one_output: whether the head has one output, on classes of two; else one a class.
        on_classes: whether it is a loss of classes.
        on_regression: whether it is a loss of a regression.
        on_labels: whether it is a loss of label sets.
        needs_range: whether a regression must have a `range`.
        in_label_units: whether a regression's loss, and so its gradient, grows with the unit of
            its labels.
        in_order: whether the head is one score and a threshold between each two classes.
    """

    one_output: bool = True
    on_classes: bool = True
    on_regression: bool = True
    on_labels: bool = False
    needs_range: bool = False
    in_label_units: bool = False
    in_order: bool = False


LOSSES: dict[str, LossRule] = {
    "cross_entropy": LossRule(one_output=False, on_regression=False),
    "binary_cross_entropy": LossRule(needs_range=True),
    "mse": LossRule(in_label_units=True),
    "ordinal": LossRule(one_output=False, on_regression=False, in_order=True),
    "multilabel": LossRule(one_output=False, on_classes=False, on_regression=False, on_labels=True),
}
"""What `tasks.NAME.loss` may name."""


def known_loss(value: object) -> object:
    """The name of a loss as it was given.

    Raises:
        ValueError: there is none of that name.
    """
    if not isinstance(value, str) or value not in LOSSES:
        raise ValueError(unknown_name(value, list(LOSSES)))
    return value


def by_squared_error(fields: Mapping[str, Any]) -> bool:
    """Whether a task's keys, not checked yet, are of a regression whose labels' unit matters."""
    kind, loss = fields.get("kind"), fields.get("loss")
    if not isinstance(kind, str) or kind not in set(TargetKind):
        return False
    known = TargetKind(kind)
    rule = LOSSES.get(known.default_loss if loss is None else loss) if _is_name(loss) else None
    return known.is_regression and rule is not None and rule.in_label_units


def _is_name(value: object) -> bool:
    return value is None or isinstance(value, str)
