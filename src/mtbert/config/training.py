"""The `training` section: how the weights are learned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtbert.config.fields import Bytes, Section
from mtbert.config.methods import AggregatorField, SamplerField, WeightingField
from mtbert.methods.aggregation.table import DEFAULT_AGGREGATOR
from mtbert.methods.sampling.table import DEFAULT_SAMPLER
from mtbert.methods.weighting.table import DEFAULT_WEIGHTING

__all__ = ["Precision", "TrainingSettings"]

Precision = Literal["auto", "fp32", "bf16"]
"""Of the forward and backward passes; `auto`: the faster one."""

_Rate = Literal["auto"] | Annotated[float, Field(gt=0)] | None


class TrainingSettings(Section):
    """How the weights are learned."""

    epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=100_000)] = Field(
        "auto",
        description="Passes of the plan. `auto`: many over little data, one over much "
        "([defaults.md](defaults.md)).",
    )
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        16, description="Examples of one task in one step."
    )
    learning_rate: _Rate = Field(
        "auto",
        description="Peak rate of the encoder. `auto`: by its width, 2e-4 for the packaged one. "
        "`null`, the paper's: 1e-5, frozen 1e-3.",
    )
    head_learning_rate: _Rate = Field(
        "auto",
        description="Peak rate of the heads. `auto`: 3e-3, 1e-2 while the encoder is frozen. "
        "`null`: `learning_rate`; 1e-3 while the encoder is frozen.",
    )
    layer_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Factor of the learning rate from each layer of the encoder to the one below "
        "it, such as 0.95: the last layer learns at `learning_rate`, the embeddings slowest. Heads "
        "are not affected. Default: one rate for all layers.",
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "linear", description="Learning rate after the warm-up: kept, or decayed to zero."
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the steps in which the rate rises from zero."
    )
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.01, description="Decoupled decay; biases and layer norms have none."
    )
    clip: Annotated[float, Field(gt=0)] | None = Field(
        1.0, description="Largest norm of the whole gradient; `null`: no limit."
    )
    average: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Evaluate and keep an exponential moving average of the weights with this "
        "decay (0.99: over some hundred steps) in the place of the last step's. After t updates "
        "it is t / (t + 9) at most, so that the start is forgotten: 0.995 is reached after 1,791.",
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
    surgery_every: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Steps from one with surgery to the next; between them gradients add up, at no "
        "cost beside a run without surgery.",
    )
    precision: Precision = Field(
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
        "`reduce-overhead` takes CUDA graphs on GPUs, for one task and one part a batch. Batches "
        "are then padded to few sizes. The first steps take minutes; needs a C++ compiler, on GPUs "
        "Triton and a C compiler.",
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
    memory_limit: Bytes | None = Field(
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
        "balanced",
        description="What picks the best epoch: `balanced`, the sum of the main metrics of the "
        "tasks that train, each in units of its standard error (so that noise of one does not "
        "choose against another), of equal ones the last; their plain `sum`; in both an undefined "
        "one counts 0. Or one metric, `TASK.METRIC` (`TASK.mcc`, `TASK.rmse`, of which less is "
        "better), or of one class `TASK.f1:CLASS`. docs/metrics.md lists them.",
    )
    evaluate_every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Steps between evaluations. Default: each epoch."
    )
    checkpoint_every: Literal["auto"] | Annotated[int, Field(ge=1)] | None = Field(
        "auto",
        description="Steps between checkpoints. `auto`: each epoch, but not more often than every "
        "100 steps. `null`: each epoch.",
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

    @property
    def surgery_in_words(self) -> str:
        """`pcgrad`, `pcgrad every 4 steps`."""
        every = self.surgery_every
        return str(self.surgery) if every == 1 else f"{self.surgery} every {every} steps"
