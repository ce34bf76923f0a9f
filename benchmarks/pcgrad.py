"""What does PCGrad add to one step of three tasks, in time and memory, beside other ways to do it?

A step: 32 examples each of SST, paraphrase pairs and STS pairs, forward, backward, AdamW. torchjd
has no model of its own, so it runs on transformers' BERT, as does the classic way (one graph kept
for a backward pass a task, gradients flattened, projected as whole vectors); each is compared with
the plain summed step of its own model. Everyone computes in what `precision: auto` picks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from tabulate import tabulate
from torch import Generator, Tensor, nn

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
    padded,
    ratios,
    steps,
    tokenized,
)
from mtbert.config.settings import TaskSettings
from mtbert.data.batches import TokenizedSet
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.methods.sampling.schedules import Step
from mtbert.model.encoders.bert import Encoder
from mtbert.model.encoders.execution import fit_encoder
from mtbert.model.hub import PACKAGED, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.losses import example_losses
from mtbert.training.gradients import compute_gradients
from mtbert.training.optimizer import AdamW, parameter_groups

ROUNDS = 5
WARM_UP = 1
STEPS = 3
RATE = 2e-5
NAMES = ("sst", "para", "sts")


def run(rounds: int) -> Result:
    """Let all contestants take turns."""
    contestants: dict[str, Callable[[], Turn]] = {
        "mtbert summed": partial(ours, "none"),
        "mtbert pcgrad": partial(ours, "pcgrad"),
        "transformers summed": partial(theirs, None),
        "torchjd pcgrad": partial(theirs, _torchjd_backward),
        "classic pcgrad": partial(theirs, _classic_backward),
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


def _turn(
    sources: dict[str, TokenizedSet], train: Callable[[Step], None], held: float, number: int
) -> dict[str, float]:
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
    keep_freed_memory()
    torch.set_flush_denormal(True)
    tasks, sources = _load()
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), tasks)
    for name in NAMES:
        network.head(name).initialise(Generator().manual_seed(0))
    fit_encoder(network.encoder, _dtype(), torch.device("cpu"))
    shared, heads = network.shared_parameters(), network.head_parameters()
    optimizer = AdamW(
        parameter_groups(
            shared, heads, learning_rate=RATE, head_learning_rate=RATE, weight_decay=0.0
        )
    )
    dropout, orders = Generator().manual_seed(0), Generator().manual_seed(0)

    def train(step: Step) -> None:
        compute_gradients(
            network,
            step,
            sources,
            class_weights=dict.fromkeys(NAMES),
            shared=list(shared.values()),
            surgery=surgery,
            dropout=dropout,
            orders=orders,
        )
        optimizer.step()
        optimizer.zero_grad()

    return partial(_turn, sources, train, _held())


# transformers and torchjd


Backward = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[nn.Parameter]], None]


def theirs(backward: Backward | None) -> Turn:
    """A contestant: transformers' BERT with three linear heads, summed or with surgery."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tasks, sources = _load()
    bert = transformers.BertModel.from_pretrained(locate(PACKAGED), add_pooling_layer=False).train()
    width = bert.config.hidden_size
    heads = nn.ModuleDict(
        {
            name: nn.Sequential(nn.Dropout(task.dropout), nn.Linear(width, task.outputs))
            for name, task in tasks.items()
        }
    )
    parameters = [*bert.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0, fused=True)

    def features(step: Step, name: str) -> Tensor:
        with _autocast():
            output = bert(**padded(sources[name], step[name].indices))
        first: Tensor = output.last_hidden_state[:, 0]
        return first

    def loss(step: Step, name: str, first: Tensor) -> Tensor:
        labels = sources[name].label_tensor(step[name].indices)
        return example_losses(tasks[name], heads[name](first.float()), labels).mean()

    def train_summed(step: Step) -> None:
        for name in NAMES:
            loss(step, name, features(step, name)).backward()
        optimizer.step()
        optimizer.zero_grad()

    def train_surgery(step: Step) -> None:
        firsts = {name: features(step, name) for name in NAMES}
        losses = [loss(step, name, first) for name, first in firsts.items()]
        assert backward is not None
        backward(losses, list(firsts.values()), list(bert.parameters()))
        optimizer.step()
        optimizer.zero_grad()

    return partial(_turn, sources, train_summed if backward is None else train_surgery, _held())


def _torchjd_backward(
    losses: Sequence[Tensor], features: Sequence[Tensor], shared: Sequence[nn.Parameter]
) -> None:
    from torchjd.aggregation import PCGrad
    from torchjd.autojac import jac_to_grad, mtl_backward

    # One task at a time: cheaper here than the default, all of them under vmap.
    mtl_backward(losses, features=features, shared_params=shared, parallel_chunk_size=1)
    jac_to_grad(shared, PCGrad())


def _classic_backward(
    losses: Sequence[Tensor], features: Sequence[Tensor], shared: Sequence[nn.Parameter]
) -> None:
    rows = []
    for loss in losses:
        loss.backward(retain_graph=True)
        rows.append(torch.cat([_taken(parameter).flatten() for parameter in shared]))
    projected = [row.clone() for row in rows]
    for i, gradient in enumerate(projected):
        for j in torch.randperm(len(rows)).tolist():
            product = torch.dot(gradient, rows[j])
            if i != j and product < 0:
                gradient -= product / torch.dot(rows[j], rows[j]) * rows[j]
    total = torch.stack(projected).sum(0)
    for parameter, part in zip(
        shared, total.split([parameter.numel() for parameter in shared]), strict=True
    ):
        parameter.grad = part.view_as(parameter)


def _taken(parameter: nn.Parameter) -> Tensor:
    """The gradient, set aside; zero where there is none."""
    gradient, parameter.grad = parameter.grad, None
    return torch.zeros_like(parameter) if gradient is None else gradient


def _autocast() -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16, enabled=_dtype() is torch.bfloat16)


def _held() -> float:
    return memory_mb("VmRSS")
