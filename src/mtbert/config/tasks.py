"""The `tasks` section: the target, files, head and loss of each task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mtbert.config.fields import DEV_SET_NAME, LARGEST_LABEL, FileName, Section
from mtbert.config.messages import unknown_name
from mtbert.errors import shown

__all__ = ["LOSSES", "ColumnSettings", "LossRule", "TargetKind", "TaskSettings", "predictions_name"]


class TargetKind(StrEnum):
    """What a task predicts, and what follows from it: metrics and the default loss."""

    CLASSIFICATION = "classification"
    PAIR_CLASSIFICATION = "pair_classification"
    REGRESSION = "regression"
    PAIR_REGRESSION = "pair_regression"

    @property
    def is_pair(self) -> bool:
        return self in (TargetKind.PAIR_CLASSIFICATION, TargetKind.PAIR_REGRESSION)

    @property
    def is_classification(self) -> bool:
        return self in (TargetKind.CLASSIFICATION, TargetKind.PAIR_CLASSIFICATION)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics reported for this kind, the main one first."""
        return ("accuracy", "f1") if self.is_classification else ("pearson", "spearman")

    @property
    def main_metric(self) -> str:
        """The metric that stands for a task where one number must: it selects the best epoch."""
        return self.metrics[0]

    @property
    def default_loss(self) -> Literal["cross_entropy", "mse"]:
        """The loss of a task that names none."""
        return "cross_entropy" if self.is_classification else "mse"


@dataclass(frozen=True, slots=True)
class LossRule:
    """Which tasks a loss fits; the package `objectives` computes it.

    Attributes:
        one_output: whether the head has one output, on classes of two; else one a class.
        on_classes: whether it is a loss of classes.
        on_regression: whether it is a loss of a regression.
        needs_range: whether a regression must have a `range`.
    """

    one_output: bool = True
    on_classes: bool = True
    on_regression: bool = True
    needs_range: bool = False


LOSSES: dict[str, LossRule] = {
    "cross_entropy": LossRule(one_output=False, on_regression=False),
    "binary_cross_entropy": LossRule(needs_range=True),
    "mse": LossRule(),
}
"""What `tasks.NAME.loss` may name."""


def _known_loss(value: object) -> object:
    if not isinstance(value, str) or value not in LOSSES:
        raise ValueError(unknown_name(value, list(LOSSES)))
    return value


def predictions_name(task: str, dev_set: str, *, selects: bool) -> str:
    """What the predictions for a dev set are filed under: `TASK` if it selects, or `TASK-SET`."""
    return task if selects else f"{task}-{dev_set}"


class ColumnSettings(Section):
    """Names of the columns of a task's files."""

    id: str | None = Field(
        None, description="Column of the row id. Default: `id` if there is one, else row numbers."
    )
    text: str | None = Field(
        None, description="Column of the text. Default: `sentence`, for pairs `sentence1`."
    )
    text2: str | None = Field(
        None, description="Column of a pair's second text. Default: `sentence2`."
    )
    label: str = Field("label", description="Column of the label.")


class TaskSettings(Section):
    """One task: its files, its target, its head and its loss."""

    kind: TargetKind = Field(description="What is predicted, from one text or a pair of texts.")
    train: FileName | None = Field(
        None, description="Training file (CSV, TSV or JSONL). Without it, set `uses`."
    )
    dev: FileName | dict[str, FileName] | None = Field(
        None,
        description="Dev file, or named dev files (`{NAME: FILE}`, names of letters, digits, `_` "
        "and `-`); the first one selects the best epoch, the others are reported beside it.",
    )
    test: FileName | None = Field(
        None, description="Test file; read only when predicted, and to count what leaks into it."
    )
    uses: str | None = Field(
        None, description="For a task that is only evaluated: the task whose head it uses."
    )
    columns: ColumnSettings = Field(ColumnSettings(), description="Column mapping.")
    labels: tuple[str, ...] | None = Field(
        None,
        description="Names of the classes in order; files may hold the names or the numbers from "
        "0. Default for `pair_classification`: two classes named 0 and 1.",
    )
    range: tuple[float, float] | None = Field(
        None, description="Smallest and largest label of a regression; others are bad rows."
    )
    loss: Annotated[str, BeforeValidator(_known_loss)] | None = Field(
        None,
        json_schema_extra={"enum": list(LOSSES)},
        description="Default: `cross_entropy` for classes, `mse` for regression. Two classes may "
        "use the others with one output (its class is 1 when the probability, for `mse` the raw "
        "output, is above 0.5). `binary_cross_entropy` on a regression needs `range` and bounds "
        "the prediction by it.",
    )
    head: Literal["cls", "pooled", "mean"] = Field(
        "mean",
        description="What the head reads: the last hidden state of [CLS], the pooler's output, "
        "or the mean over a sequence's tokens.",
    )
    features: Literal[
        "auto", "uv", "uv_absdiff_product", "uv_absdiff_product_cosine", "cosine"
    ] = Field(
        "auto",
        description="For pairs encoded separately: u, v; u, v, |u-v|, u*v; the same and the cosine "
        "of u and v (`auto`); or one cosine with a learned scale and offset (needs one output).",
    )
    pair_encoding: Literal["auto", "jointly", "both_orders", "separately"] = Field(
        "auto",
        description="A pair as one sequence with segment ids; the same in both orders, for labels "
        "that do not depend on the order (training draws one each time, an answer is the mean of "
        "both); or each text alone. `auto`: `separately` for less than 2,000 training pairs or "
        "where `features` are given, else `jointly`.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Dropout before the head's linear layer."
    )
    loss_weight: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Factor of the loss. It does not change how often the task is sampled."
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Examples a step of this task. Default: the run's."
    )
    class_weights: Literal["balanced"] | tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None,
        description="Weights of the classes in the loss: a list, or `balanced` for the inverse of "
        "their frequency in the training file.",
    )
    on_bad_rows: Literal["error", "skip"] = Field(
        "error", description="Stop at bad rows, or skip and count them."
    )

    @property
    def dev_files(self) -> dict[str, str]:
        """Dev files by name; the first one selects."""
        if self.dev is None:
            return {}
        return {"dev": self.dev} if isinstance(self.dev, str) else dict(self.dev)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty for a regression."""
        if not self.kind.is_classification:
            return ()
        return self.labels or ("0", "1")

    @property
    def loss_name(self) -> str:
        """The loss in force."""
        return self.loss or self.kind.default_loss

    @property
    def sequences_per_example(self) -> int:
        """Two for a pair whose texts are encoded separately, else one.

        What `auto` is for pairs has to be settled before (`config.automatic.with_pair_forms`).
        """
        return 2 if self.kind.is_pair and self.pair_encoding == "separately" else 1

    @property
    def in_both_orders(self) -> bool:
        """Whether an example is a pair that is encoded in either order."""
        return self.kind.is_pair and self.pair_encoding == "both_orders"

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the text columns of this task's files."""
        if self.kind.is_pair:
            return (self.columns.text or "sentence1", self.columns.text2 or "sentence2")
        return (self.columns.text or "sentence",)

    @model_validator(mode="after")
    def _check(self) -> Self:
        target = self._class_problems() if self.kind.is_classification else self._number_problems()
        problems = self._file_problems() + target + self._range_problems()
        if self.features == "cosine" and not problems:
            problems = self._cosine_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _file_problems(self) -> list[str]:
        problems = []
        if self.train is None and self.uses is None:
            problems.append("set `train`, or `uses` for a task that is only evaluated")
        if self.train is not None and self.uses is not None:
            problems.append("`train` and `uses` exclude each other")
        if self.uses is not None and not self.dev_files:
            problems.append("a task that is only evaluated needs `dev`")
        return problems + [
            f"`dev` names a set {shown(name)}; expected 1 to 64 letters, digits, _ or -, not "
            "beginning with _ or -, since names become names of files"
            for name in self.dev_files
            if not re.fullmatch(DEV_SET_NAME, name)
        ]

    def _number_problems(self) -> list[str]:
        problems = []
        if self.labels is not None:
            problems.append("`labels` belongs to classes; a regression has `range`")
        if self.class_weights is not None:
            problems.append("`class_weights` belongs to classes")
        rule = LOSSES[self.loss_name]
        if not rule.on_regression:
            problems.append(f"`{self.loss}` needs classes; use `{self.kind.default_loss}`")
        if rule.needs_range and self.range is None:
            problems.append(f"`{self.loss}` on a regression needs `range`")
        return problems

    def _range_problems(self) -> list[str]:
        problems = []
        if self.range is not None and not self.range[0] < self.range[1]:
            problems.append(f"`range` must rise, found {list(self.range)}")
        if self.range is not None and max(map(abs, self.range)) > LARGEST_LABEL:
            problems.append(f"`range` must lie between -{LARGEST_LABEL:g} and {LARGEST_LABEL:g}")
        if self.columns.text2 is not None and not self.kind.is_pair:
            problems.append("`columns.text2` belongs to a pair")
        return problems

    def _cosine_problems(self) -> list[str]:
        if not self.kind.is_pair or self.pair_encoding in ("jointly", "both_orders"):
            return ["`features: cosine` needs a pair and `pair_encoding: separately`"]
        if not LOSSES[self.loss_name].one_output:
            fit = [f"`{n}`" for n, rule in LOSSES.items() if rule.one_output and rule.on_classes]
            return [f"`features: cosine` has one output; set `loss` to {' or '.join(fit)}"]
        return []

    def _class_problems(self) -> list[str]:
        problems = []
        if self.range is not None:
            problems.append("`range` belongs to a regression; classes have `labels`")
        if self.labels is None and self.kind is TargetKind.CLASSIFICATION:
            problems.append("`labels` must name the classes in order")
        if self.labels is not None and len(self.labels) < 2:
            problems.append(f"`labels` needs two classes or more, found {len(self.labels)}")
        if len(set(self.class_names)) < len(self.class_names):
            problems.append("`labels` names a class twice")
        rule = LOSSES[self.loss_name]
        if not rule.on_classes:
            problems.append(f"`{self.loss}` needs a regression; use `{self.kind.default_loss}`")
        elif rule.one_output and len(self.class_names) != 2:
            problems.append(f"`{self.loss_name}` needs two classes, found {len(self.class_names)}")
        if isinstance(self.class_weights, tuple) and len(self.class_weights) != len(
            self.class_names
        ):
            problems.append(
                f"`class_weights` needs {len(self.class_names)} numbers, "
                f"found {len(self.class_weights)}"
            )
        return problems
