"""The `tasks` section: the target, files, head and loss of each task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mtbert.config.columns import ColumnSettings, JoinedColumns, TextPlace, columns_in
from mtbert.config.fields import DEV_SET_NAME, LARGEST_LABEL, Section, share_of
from mtbert.config.files import DevFiles, Files, TestFiles, TrainFiles, names_of
from mtbert.config.format import FormatSettings
from mtbert.config.labels import LabelNames
from mtbert.config.metrics import class_metrics
from mtbert.config.targets import LOSSES, TargetKind, by_squared_error, known_loss
from mtbert.errors import shown

__all__ = ["TaskSettings", "predictions_name"]


def predictions_name(task: str, dev_set: str, *, selects: bool) -> str:
    """What the predictions for a dev set are filed under: `TASK` if it selects, or `TASK-SET`."""
    return task if selects else f"{task}-{dev_set}"


class TaskSettings(Section):
    """One task: its files, its target, its head and its loss."""

    kind: TargetKind = Field(description="What is predicted, from one text or a pair of texts.")
    train: TrainFiles | None = Field(
        None,
        description="Training file (CSV, TSV, JSONL, JSON or Parquet; gzip is unpacked), a pattern "
        "(`part-*.csv`), or a list of them, which are read one behind the other; or a data set of "
        "the Hub, `hub:OWNER/NAME/CONFIG@REVISION:SPLIT`, of which all but owner and name may be "
        "left out. Without it, set `uses`.",
    )
    dev: DevFiles | None = Field(
        None,
        description="Dev file or files, or a share of the training file that is held out (`10%`), "
        "or named dev sets (`{NAME: FILE}`, names of letters, digits, `_` and `-`); the first one "
        "selects the best epoch, the others are reported beside it. Held out are about as many "
        "rows of each class, rows with an equal text on one side, and tasks of one file share the "
        "split; `data.split_seed` draws another.",
    )
    test: TestFiles | None = Field(
        None,
        description="Test file or files; read only when predicted, and to count what leaks into "
        "it.",
    )
    uses: str | None = Field(
        None, description="For a task that is only evaluated: the task whose head it uses."
    )
    columns: ColumnSettings = Field(ColumnSettings(), description="Column mapping.")
    format: FormatSettings = Field(
        FormatSettings(), description="How the files are written, where that cannot be seen."
    )
    labels: LabelNames | None = Field(
        None,
        description="Names of the classes in order; files may hold the names or the numbers from "
        "0. Names that are numbers or `false` and `true` are found however a file spells them "
        "(`1`, `1.0`, `True`). Default: what the training file holds, in numerical or "
        "alphabetical order; for `pair_classification`, if that is 0 and 1 alone, these two; for "
        "several labels in columns of their own the names of the columns.",
    )
    label_separator: Annotated[str, Field(min_length=1, max_length=8)] | None = Field(
        None,
        description="What stands between the labels of a list, such as `;`. Default: `;`, `|` or "
        '`,`, whichever divides the cell into known labels. A list in brackets, `["a", "b"]`, '
        "needs none.",
    )
    range: tuple[float, float] | None = Field(
        None, description="Smallest and largest label of a regression; others are bad rows."
    )
    loss: Annotated[str, BeforeValidator(known_loss)] | None = Field(
        None,
        json_schema_extra={"enum": list(LOSSES)},
        description="Default: `cross_entropy` for classes, `multilabel` for several labels, `mse` "
        "for regression. `ordinal` is for classes whose `labels` stand in order. Two classes may "
        "use the others with one output (its class is 1 when the probability, for `mse` the raw "
        "output, is above 0.5). `binary_cross_entropy` on a regression needs `range` and bounds "
        "the prediction by it.",
    )
    target: Literal["standardised", "popart", "raw"] | None = Field(
        None,
        description="What a regression by squared error is trained on: its labels less their mean, "
        "divided by their standard deviation (both of the training file), so that the unit of the "
        "labels does not decide how much the task counts beside others; the same by a mean and "
        "deviation that follow the labels of the steps (`popart`); or the labels as they are. "
        "Answers, metrics and losses are in the labels' unit either way. Default: `standardised`. "
        "`binary_cross_entropy` does not depend on the unit and takes `raw` alone.",
    )
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="With several labels: those are given whose probability is above it. "
        "Default: 0.5.",
    )
    long_texts: Literal["head", "head_tail", "windows"] = Field(
        "head",
        description="What becomes of a text that is longer than `encoder.max_length`: its "
        "beginning is kept; a quarter from its beginning and three quarters from its end; or it is "
        "cut into windows, and the head reads the mean of their vectors (texts encoded alone).",
    )
    max_windows: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="With `long_texts: windows`: windows of a text, what lies behind them is left "
        "out and counted. Memory grows with them. Default: 8.",
    )
    head: Literal["cls", "pooled", "mean", "attention"] = Field(
        "mean",
        description="What the head reads: the last hidden state of [CLS], the pooler's output, "
        "the mean over a sequence's tokens, or their mean by learned attention, which begins as "
        "the plain one.",
    )
    layers: Annotated[int, Field(ge=2, le=128)] | None = Field(
        None,
        description="How many of the encoder's last layers the head reads, mixed by learned "
        "weights. Default: the last one alone.",
    )
    hidden_size: Annotated[int, Field(ge=1, le=65536)] | None = Field(
        None, description="Units of a hidden layer in the head. Default: the head is linear."
    )
    hidden_activation: Literal["tanh", "gelu"] | None = Field(
        None, description="Of the hidden layer. Default: `tanh`."
    )
    features: Literal["auto", "uv", "uv_absdiff_product", "cosine"] = Field(
        "auto",
        description="For pairs encoded separately: u, v; u, v, |u-v|, u*v (`auto`); or one cosine "
        "with a learned scale and offset (needs one output).",
    )
    pair_encoding: Literal["auto", "jointly", "both_orders", "separately"] = Field(
        "auto",
        description="A pair as one sequence with segment ids; the same in both orders, for labels "
        "that do not depend on the order (training draws one each time, an answer is the mean of "
        "both); or each text alone. `auto`: `separately` for fewer than 500 training pairs, "
        "and where `features` or `long_texts: windows` are given, else `jointly`.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Dropout before each linear layer of the head."
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
        "their frequency in the training file. With several labels: the weight of an example that "
        "has the label beside one that has it not (1), or `balanced`, by which both halves count "
        "the same for each label.",
    )
    on_bad_rows: Literal["error", "skip"] = Field(
        "error", description="Stop at bad rows, or skip and count them."
    )

    @property
    def dev_files(self) -> dict[str, Files]:
        """Dev files, or the share of the training file that stands for one, by name.

        The first one selects.
        """
        if self.dev is None:
            return {}
        return dict(self.dev) if isinstance(self.dev, dict) else {"dev": self.dev}

    def reading(self, columns: Mapping[str, str]) -> TaskSettings:
        """The same task, reading other columns.

        Args:
            columns: their names by key of `columns`: id, text, text2, label; the others stay.
        """
        chosen = {key: name for key, name in columns.items() if key != "text2" or self.kind.is_pair}
        return self.model_copy(update={"columns": self.columns.model_copy(update=chosen)})

    @property
    def held_out(self) -> float | None:
        """The share of the training file that is a dev set, between 0 and 1; None: all is train."""
        shares = [share_of(file) for file in self.dev_files.values()]
        return next((share for share in shares if share is not None), None)

    @property
    def labels_unknown(self) -> bool:
        """Whether the classes or labels are still to be looked up in the training file."""
        if self.labels is not None or self.kind is TargetKind.PAIR_CLASSIFICATION:
            return False
        return not self.kind.is_regression and self.columns.labels is None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes or labels; empty for a regression.

        Raises:
            ValueError: they are still to be looked up, see `data.completion`.
        """
        if self.kind.is_regression:
            return ()
        if self.labels_unknown:
            raise ValueError("the classes are not known before the training file has been read")
        return self.labels or self.columns.labels or ("0", "1")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold the label of an example."""
        return self.columns.labels or (self.columns.label,)

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of one example's label: a number, or a 0 or 1 for each of several labels."""
        return (len(self.class_names),) if self.kind.is_multilabel else ()

    @property
    def label_threshold(self) -> float:
        """The probability above which a label is given."""
        return 0.5 if self.threshold is None else self.threshold

    @property
    def window_limit(self) -> int:
        """The most windows that a text is cut into."""
        return 8 if self.max_windows is None else self.max_windows

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics reported for the task, the main one first."""
        if not self.kind.is_classification or self.labels_unknown:
            return self.kind.metrics
        return class_metrics(len(self.class_names), in_order=LOSSES[self.loss_name].in_order)

    @property
    def loss_name(self) -> str:
        """The loss in force."""
        return self.loss or self.kind.default_loss

    @property
    def has_target_scale(self) -> bool:
        """Whether the head's outputs are on another scale than the labels."""
        return self.target in ("standardised", "popart")

    @property
    def layers_read(self) -> int:
        """How many of the encoder's last layers the head reads."""
        return self.layers or 1

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
    def text_places(self) -> tuple[TextPlace, ...]:
        """Where an example's text, or its two texts, stand."""
        columns = self.columns
        found = [columns.text or "sentence"]
        if self.kind.is_pair:
            found = [columns.text or "sentence1", columns.text2 or "sentence2"]
        return tuple(
            p if isinstance(p, str) else JoinedColumns(p, columns.joined_by) for p in found
        )

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns that the texts are made of."""
        return tuple(dict.fromkeys(c for place in self.text_places for c in columns_in(place)))

    @model_validator(mode="before")
    @classmethod
    def _write_out_target(cls, fields: Any) -> Any:
        """The default of `target` in plain sight, so that a run's config.yaml always names it."""
        if not isinstance(fields, Mapping) or fields.get("target") is not None:
            return fields
        if fields.get("uses") is not None or not by_squared_error(fields):
            return fields
        return {**fields, "target": "standardised"}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind.is_multilabel:
            target = self._label_set_problems()
        elif self.kind.is_classification:
            target = self._class_problems()
        else:
            target = self._number_problems()
        problems = self._file_problems() + target + self._range_problems() + self._text_problems()
        problems += self._head_problems()
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
        shares = {n: share_of(f) for n, f in self.dev_files.items()}
        held_out = {n: share for n, share in shares.items() if share is not None}
        if len(held_out) > 1:
            problems.append("`dev` holds out a share of the training file more than once")
        if held_out and self.train is None:
            problems.append("`dev` is a share of the training file, and there is no `train`")
        problems += [
            f"`dev` is {shown(self.dev_files[name])}, expected a share above 0% and below 100%"
            for name, share in held_out.items()
            if not 0 < share < 1
        ]
        problems += [
            f"{shown(name)} is a share; it cannot stand in a list of files"
            for files in (self.train, self.test, *self.dev_files.values())
            if isinstance(files, tuple)
            for name in names_of(files)
            if share_of(name) is not None
        ]
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
            needs = "several labels" if rule.on_labels else "classes"
            problems.append(f"`{self.loss}` needs {needs}; use `{self.kind.default_loss}`")
        if rule.needs_range and self.range is None:
            problems.append(f"`{self.loss}` on a regression needs `range`")
        if self.target in ("standardised", "popart") and not rule.in_label_units:
            problems.append(
                f"`target: {self.target}` has no effect on `{self.loss_name}`, whose loss does not "
                "depend on the unit of the labels; leave `target` out"
            )
        if self.target is not None and self.uses is not None:
            problems.append("`target` belongs to the task whose head it is, named by `uses`")
        return problems

    def _range_problems(self) -> list[str]:
        problems = []
        if self.target is not None and not self.kind.is_regression:
            problems.append("`target` belongs to a regression; classes have no unit")
        if self.range is not None and not self.range[0] < self.range[1]:
            problems.append(f"`range` must rise, found {list(self.range)}")
        if self.range is not None and max(map(abs, self.range)) > LARGEST_LABEL:
            problems.append(f"`range` must lie between -{LARGEST_LABEL:g} and {LARGEST_LABEL:g}")
        if self.columns.text2 is not None and not self.kind.is_pair:
            problems.append("`columns.text2` belongs to a pair")
        return problems

    def _text_problems(self) -> list[str]:
        problems = []
        if self.long_texts != "windows" and self.max_windows is not None:
            problems.append("`max_windows` belongs to `long_texts: windows`")
        jointly = self.kind.is_pair and self.pair_encoding in ("jointly", "both_orders")
        if self.long_texts == "windows" and jointly:
            problems.append(
                "`long_texts: windows` needs texts that are encoded alone; set `pair_encoding: "
                "separately`, or `long_texts: head_tail`"
            )
        if not self.kind.is_multilabel:
            multilabel = {
                "columns.labels": self.columns.labels,
                "label_separator": self.label_separator,
                "threshold": self.threshold,
            }
            problems += [
                f"`{key}` belongs to several labels, `kind: multilabel_classification`"
                for key, value in multilabel.items()
                if value is not None
            ]
        return problems

    def _head_problems(self) -> list[str]:
        problems = []
        given = {"layers": self.layers, "hidden_size": self.hidden_size}
        if self.uses is not None:
            problems += [
                f"`{key}` belongs to the task whose head it is, named by `uses`"
                for key, value in given.items()
                if value is not None
            ]
        if self.head == "pooled" and self.layers is not None:
            problems.append(
                "`head: pooled` reads the pooler, which stands above the last layer alone; leave "
                "`layers` out, or set `head` to `cls`, `mean` or `attention`"
            )
        if self.hidden_activation is not None and self.hidden_size is None:
            problems.append("`hidden_activation` belongs to `hidden_size`")
        if self.features == "cosine" and self.hidden_size is not None:
            problems.append("`features: cosine` is a single number; leave `hidden_size` out")
        return problems

    def _cosine_problems(self) -> list[str]:
        if not self.kind.is_pair or self.pair_encoding in ("jointly", "both_orders"):
            return ["`features: cosine` needs a pair and `pair_encoding: separately`"]
        if not LOSSES[self.loss_name].one_output:
            fit = [f"`{n}`" for n, rule in LOSSES.items() if rule.one_output and rule.on_classes]
            return [f"`features: cosine` has one output; set `loss` to {' or '.join(fit)}"]
        return []

    def _label_set_problems(self) -> list[str]:
        problems = []
        columns = self.columns.labels
        if self.range is not None:
            problems.append("`range` belongs to a regression")
        if columns is not None and self.columns.label != "label":
            problems.append("`columns.label` and `columns.labels` exclude each other")
        if not LOSSES[self.loss_name].on_labels:
            problems.append(f"`{self.loss}` is no loss of several labels; use `multilabel`")
        if self.labels_unknown:  # checked again when they are known
            return problems
        if columns is not None and len(columns) != len(self.class_names):
            problems.append(
                f"`labels` needs a name for each of the {len(columns)} `columns.labels`, found "
                f"{len(self.class_names)}"
            )
        names = self.class_names
        for key, found in (("labels", names), ("columns.labels", columns or ())):
            if len(set(found)) < len(found):
                problems.append(f"`{key}` names a label twice")
        if self.labels == () or columns == ():
            problems.append("`labels` needs a label or more, found none")
        return problems + self._weight_problems()

    def _weight_problems(self) -> list[str]:
        weights, names = self.class_weights, self.class_names
        if isinstance(weights, tuple) and len(weights) != len(names):
            return [f"`class_weights` needs {len(names)} numbers, found {len(weights)}"]
        return []

    def _class_problems(self) -> list[str]:
        problems = []
        if self.range is not None:
            problems.append("`range` belongs to a regression; classes have `labels`")
        if self.labels is not None and len(self.labels) < 2:
            problems.append(f"`labels` needs two classes or more, found {len(self.labels)}")
        rule = LOSSES[self.loss_name]
        if not rule.on_classes:
            needs = "several labels" if rule.on_labels else "a regression"
            problems.append(f"`{self.loss}` needs {needs}; use `{self.kind.default_loss}`")
        if self.labels_unknown:  # checked again when they are known
            return problems
        if len(set(self.class_names)) < len(self.class_names):
            problems.append("`labels` names a class twice")
        if rule.on_classes and rule.one_output and len(self.class_names) != 2:
            problems.append(f"`{self.loss_name}` needs two classes, found {len(self.class_names)}")
        return problems + self._weight_problems()
