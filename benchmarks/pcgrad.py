"""What does PCGrad add to one step of three tasks, in time and memory, beside other ways to do it?

A step: 32 examples each of SST, paraphrase pairs and STS pairs, forward, backward, AdamW. torchjd
has no model of its own, so it runs on transformers' BERT, as does the classic way (one graph kept
for a backward pass a task, gradients flattened, projected as whole vectors); each is compared with
the plain summed step of its own model. Everyone computes in what `precision: auto` picks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from tabulate import tabulate
from torch import Generator, Tensor, nn

from benchmarks import peers
from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    Turn,
    busy_note,
    data_in_use,
    interleave,
    medians,
    memory_mb,
    ratios,
    steps,
    tokenized,
)
from benchmarks.peers import classic_pcgrad, multitask, torchjd
from mtbert.config.methods import choose
from mtbert.config.sharing import DEFAULT_SHARING, Sharing
from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import TokenizedSet
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.methods.aggregation.base import Aggregator
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.base import SuperBatch
from mtbert.model.encoders.base import Encoder
from mtbert.model.encoders.execution import fit_encoder
from mtbert.model.hub import PACKAGED, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.table import example_losses, objective_of
from mtbert.training.gradients import GradientOptions, compute_gradients
from mtbert.training.optimizer import AdamW, parameter_groups

ROUNDS = 5
WARM_UP = 1
STEPS = 3
RATE = 2e-5
NAMES = ("sst", "para", "sts")

Train = Callable[[SuperBatch], None]


def run(rounds: int) -> Result:
    """Let all contestants take turns."""
    contestants: dict[str, Callable[[], Turn]] = {
        "mtbert summed": partial(ours, "none"),
        "mtbert pcgrad": partial(ours, "pcgrad"),
        "transformers summed": partial(theirs, None),
        "torchjd pcgrad": partial(theirs, torchjd.pcgrad_backward),
        "classic pcgrad": partial(theirs, classic_pcgrad.pcgrad_backward),
    }
    turns = interleave(contestants, rounds)
    middle = medians(turns)
    compared = {
        f"{a} / {b}": ratios(turns, "ms", a, b)
        for a, b in (
            ("mtbert pcgrad", "mtbert summed"),
            ("torchjd pcgrad", "transformers summed"),
            ("classic pcgrad", "transformers summed"),
            ("torchjd pcgrad", "mtbert pcgrad"),
        )
    }
    rows = [[name, middle[name]["ms"], middle[name]["peak_mb"]] for name in turns]
    precision = str(_dtype()).removeprefix("torch.")
    return Result(
        f"One step of three tasks, {BATCH} examples each, {precision}, medians of {rounds} rounds",
        tabulate(rows, ["", "ms", "peak memory added, MB"], floatfmt=".0f"),
        data_in_use()
        | {
            "batch": BATCH,
            "rounds": rounds,
            "steps_a_round": STEPS,
            "warm_up_steps": WARM_UP,
            "computes_in": precision,
            "torchjd": "mtl_backward(parallel_chunk_size=1), jac_to_grad(PCGrad())",
            "memory": "peak of the process less what it held before its first step",
        },
        turns,
        {"medians": middle, "ratios": compared},
        [
            f"{name}: {r['median']:.2f} ({r['least']:.2f} to {r['greatest']:.2f})"
            for name, r in compared.items()
        ]
        + [busy_note(turns)],
    )


def _dtype() -> torch.dtype:
    return compute_dtype("auto", torch.device("cpu"))


def take_turn(
    sources: dict[str, TokenizedSet], train: Train, held: float, number: int
) -> dict[str, float]:
    """Milliseconds of a step, the memory added to what was held before, and how busy it was."""
    plan = steps(sources, number, WARM_UP + STEPS)
    for step in plan[:WARM_UP]:
        train(step)
    watch = Stopwatch()
    for step in plan[WARM_UP:]:
        train(step)
    spent = watch.read()
    return {
        "ms": spent["seconds"] / STEPS * 1e3,
        "peak_mb": memory_mb("VmHWM") - held,
        "others": spent["others"],
    }


def _load() -> tuple[dict[str, TaskSettings], dict[str, TokenizedSet]]:
    loaded = {name: tokenized(name) for name in NAMES}
    return {n: task for n, (task, _) in loaded.items()}, {n: s for n, (_, s) in loaded.items()}


# mtbert


def ours(surgery: str) -> Turn:
    """A contestant: mtbert's step with or without surgery."""
    sources, step_with = own_steps()
    return partial(take_turn, sources, step_with(choose(AGGREGATORS, surgery)), held_mb())


def own_steps(
    sharing: Sharing = DEFAULT_SHARING, *, frozen: bool = False
) -> tuple[dict[str, TokenizedSet], Callable[[Aggregator], Train]]:
    """The examples of the three tasks, and a function: aggregator → mtbert's training step.

    Args:
        sharing: what the tasks share.
        frozen: what they share does not learn.
    """
    keep_freed_memory()
    torch.set_flush_denormal(True)
    tasks, sources = _load()
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), tasks, sharing)
    for name in NAMES:
        network.head(name).initialise(Generator().manual_seed(0))
    network.trunk.initialise(Generator().manual_seed(0))
    for encoder in network.trunk.encoders:
        fit_encoder(encoder, _dtype(), torch.device("cpu"))
    learning = network.learning(shared=not frozen, own=True)
    for name, parameter in network.partition.all.items():
        parameter.requires_grad_(name in learning.all)
    shared, own, heads = learning.shared, learning.all_own, learning.all_heads
    optimizer = AdamW(
        parameter_groups(
            shared | own, heads, learning_rate=RATE, head_learning_rate=RATE, weight_decay=0.0
        )
    )
    dropout, orders, uniforms = (Generator().manual_seed(0) for _ in range(3))

    def step_with(aggregator: Aggregator) -> Train:
        state = aggregator.start(NAMES)

        def train(step: SuperBatch) -> None:
            nonlocal state
            found = compute_gradients(
                network,
                step,
                sources,
                class_weights=dict.fromkeys(NAMES),
                shared=list(shared.values()),
                options=GradientOptions(
                    aggregator=aggregator,
                    aggregator_state=state,
                    dropout=dropout,
                    orders=orders,
                    uniforms=uniforms,
                ),
            )
            state = found.aggregator_state
            optimizer.step()
            optimizer.zero_grad()

        return train

    return sources, step_with


# The peers


def theirs(backward: multitask.Backward | None) -> Turn:
    """A contestant: transformers' BERT with three linear heads, summed or with surgery."""
    tasks, sources = _load()
    library = peers.transformers()
    bert = library.BertModel.from_pretrained(locate(PACKAGED), add_pooling_layer=False).train()
    width = bert.config.hidden_size
    heads = {
        n: multitask.linear_head(width, objective_of(t).outputs(t), t.dropout)
        for n, t in tasks.items()
    }
    train_on = multitask.training_step(
        bert,
        nn.ModuleDict(heads),
        sources,
        {name: partial(_mean_loss, task) for name, task in tasks.items()},
        backward,
        dtype=_dtype(),
        learning_rate=RATE,
    )

    def train(step: SuperBatch) -> None:
        train_on({name: step[name].indices for name in NAMES})

    return partial(take_turn, sources, train, held_mb())


def _mean_loss(task: TaskSettings, outputs: Tensor, labels: Tensor) -> Tensor:
    return example_losses(task, outputs, labels).mean()


def held_mb() -> float:
    """Memory of this process."""
    return memory_mb("VmRSS")
