"""How many real tokens a second does fine-tuning see, beside transformers' Trainer?

Everyone trains the packaged encoder with a head on one task, SST (pairs.py: STS, each pair one
sequence): random batches of 32, the same for all, dropout on, forward + backward + clipping at 1.0
+ AdamW. Padding is not counted.

One Trainer is given length-grouped batches instead. They come from transformers' own sampler, but
evenly spread over an epoch: the sampler hands out each pool of 50 batches from the longest to the
shortest, so the first dozen would all be long ones.
"""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Generator, nn

from benchmarks import ceiling
from benchmarks.common import (
    BATCH,
    Result,
    Stopwatch,
    Turn,
    busy_note,
    computes_bf16,
    data_in_use,
    interleave,
    medians,
    ratios,
    steps,
    tokenized,
)
from mtbert.commands.bench import step_flops
from mtbert.config.settings import TaskSettings
from mtbert.data.batches import TokenizedSet
from mtbert.hardware.device import compute_dtype, keep_freed_memory
from mtbert.methods.sampling.schedules import Step
from mtbert.model.encoders.bert import Encoder
from mtbert.model.encoders.execution import fit_encoder
from mtbert.model.hub import PACKAGED, locate
from mtbert.model.network import MultitaskNetwork
from mtbert.training.gradients import compute_gradients, total_norm
from mtbert.training.optimizer import AdamW, parameter_groups

ROUNDS = 3
WARM_UP = 3
STEPS = 12
RATE = 5e-5
CLIP = 1.0

TRAINERS = {
    "Trainer fp32": (False, False),
    "Trainer bf16": (True, False),
    "Trainer bf16, by length": (True, True),
}
"""Whether in bf16, and whether with batches of similar length."""
PRECISIONS = ("fp32", "bf16", "auto")
AUTO = "mtbert auto"

TASK = "task"
"""The one task's name in our network."""


def run(rounds: int, data: str = "sst") -> Result:
    """Let all contestants, and the ceiling, take turns on one task."""
    turns = interleave(contestants(data), rounds)
    products = turns.pop("ceiling")
    middle, top = medians(turns), medians({"ceiling": products})["ceiling"]
    del top["others"]
    shares = {name: middle[name]["gflops"] / top[dtype_of(name)] for name in turns}
    against = {n: ratios(turns, "tokens_per_second", AUTO, n) for n in turns if n in TRAINERS}
    rows = [
        [
            name,
            middle[name]["tokens_per_second"],
            middle[name]["gflops"],
            f"{shares[name]:.0%} of {dtype_of(name)}",
            against.get(name, {}).get("median"),
        ]
        for name in turns
    ]
    headers = ["", "real tokens/s", "GFLOP/s", "share of ceiling", f"{AUTO} is faster by"]
    return Result(
        f"Training speed, {data.upper()}, random batches of {BATCH}, medians of {rounds} rounds",
        tabulate(rows, headers, floatfmt=("", ".0f", ".0f", "", ".2f")),
        data_in_use()
        | {
            "task": data,
            "batch": BATCH,
            "rounds": rounds,
            "steps_a_round": STEPS,
            "warm_up_steps": WARM_UP,
            "clip": CLIP,
            "auto_is": dtype_of(AUTO),
            "flops": "6 x parameters of the layers x real tokens, and attention",
        },
        turns | {"ceiling": products},
        {"medians": middle, "ceiling_gflops": top, "share": shares, "auto_over": against},
        [
            "ceiling: " + ", ".join(f"{kind} {value:.0f} GFLOP/s" for kind, value in top.items()),
            f"{AUTO} computes in {dtype_of(AUTO)} on this processor.",
            busy_note(turns | {"ceiling": products}),
        ],
    )


def contestants(data: str) -> dict[str, Callable[[], Turn]]:
    """Everyone this processor can run; emulated bf16 would say nothing."""
    everyone = {name: partial(trainer, data, *options) for name, options in TRAINERS.items()}
    everyone |= {f"mtbert {precision}": partial(ours, data, precision) for precision in PRECISIONS}
    able = {n: make for n, make in everyone.items() if "bf16" not in n or computes_bf16()}
    return able | {"ceiling": ceiling.turn}


def dtype_of(name: str) -> str:
    """`fp32` or `bf16`: what a contestant computes in."""
    if name == AUTO:
        return "bf16" if compute_dtype("auto", torch.device("cpu")) is torch.bfloat16 else "fp32"
    return "bf16" if "bf16" in name else "fp32"


def figures(lengths: NDArray[np.int64], spent: dict[str, float]) -> dict[str, float]:
    """Speed from what was seen, real tokens alone.

    Operations are counted for all layers and all tokens, whether or not a contestant finds a way
    to leave some out.
    """
    return spent | {
        "tokens": int(lengths.sum()),
        "tokens_per_second": int(lengths.sum()) / spent["seconds"],
        "gflops": step_flops(_encoder(), lengths) / spent["seconds"] / 1e9,
    }


@functools.cache
def _encoder() -> Encoder:
    return Encoder.from_pretrained(PACKAGED)


# mtbert


def ours(data: str, precision: str) -> Turn:
    """A contestant: fresh weights each turn, then warm-up, then the measured steps."""
    keep_freed_memory()
    torch.set_flush_denormal(True)
    task, source = tokenized(data)
    return partial(_our_turn, task, source, compute_dtype(precision, torch.device("cpu")))


def _our_turn(
    task: TaskSettings, source: TokenizedSet, dtype: torch.dtype, number: int
) -> dict[str, float]:
    network = MultitaskNetwork(Encoder.from_pretrained(PACKAGED), {TASK: task})
    network.head(TASK).initialise(Generator().manual_seed(number))
    fit_encoder(network.encoder, dtype, torch.device("cpu"))
    train = _our_step(network, source, Generator().manual_seed(number))
    plan = steps({TASK: source}, number, WARM_UP + STEPS)
    for step in plan[:WARM_UP]:
        train(step)
    watch = Stopwatch()
    for step in plan[WARM_UP:]:
        train(step)
    spent = watch.read()
    seen = np.concatenate([step[TASK].indices for step in plan[WARM_UP:]])
    return figures(source.lengths[seen], spent)


def _our_step(
    network: MultitaskNetwork, source: TokenizedSet, dropout: Generator
) -> Callable[[Step], None]:
    shared = list(network.shared_parameters().values())
    optimizer = AdamW(
        parameter_groups(
            network.shared_parameters(),
            network.head_parameters(),
            learning_rate=RATE,
            head_learning_rate=RATE,
            weight_decay=0.0,
        )
    )

    def train(step: Step) -> None:
        compute_gradients(
            network,
            step,
            {TASK: source},
            class_weights={TASK: None},
            shared=shared,
            dropout=dropout,
        )
        optimizer.step(grad_scale=(total_norm(network.parameters()) / CLIP).clamp(min=1))
        optimizer.zero_grad()

    return train


# transformers


def trainer(data: str, bf16: bool, grouped: bool) -> Turn:
    """A contestant: the real Trainer, with what it does by default."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    task, source = tokenized(data)
    return partial(_trainer_turn, task, source, bf16, grouped)


def _trainer_turn(
    task: TaskSettings, source: TokenizedSet, bf16: bool, grouped: bool, number: int
) -> dict[str, float]:
    import transformers

    folder = locate(PACKAGED)
    order = _grouped_order if grouped else _random_order
    model = transformers.BertForSequenceClassification.from_pretrained(
        folder, num_labels=task.outputs
    )
    seen: list[NDArray[np.int64]] = []
    model.register_forward_pre_hook(partial(_count_tokens, seen), with_kwargs=True)
    clock = _clock(transformers.TrainerCallback)
    with tempfile.TemporaryDirectory() as output:
        training = transformers.Trainer(
            model=model,
            args=_arguments(output, bf16, number),
            train_dataset=_rows(task, source, order(source, number)),
            data_collator=transformers.DataCollatorWithPadding(
                transformers.AutoTokenizer.from_pretrained(folder)
            ),
            callbacks=[clock],
        )
        training.remove_callback(transformers.PrinterCallback)
        training.train()
    assert len(seen) == WARM_UP + STEPS
    return figures(np.concatenate(seen[WARM_UP:]), clock.spent)


def _arguments(output: str, bf16: bool, number: int) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output,
        per_device_train_batch_size=BATCH,
        max_steps=WARM_UP + STEPS,
        learning_rate=RATE,
        seed=number + 1,
        train_sampling_strategy="sequential",
        bf16=bf16,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        eval_strategy="no",
    )


def _random_order(source: TokenizedSet, number: int) -> list[int]:
    """The examples of the round's batches, one batch after another: those that mtbert trains on."""
    plan = steps({TASK: source}, number, WARM_UP + STEPS)
    return [int(i) for step in plan for i in step[TASK].indices]


def _grouped_order(source: TokenizedSet, number: int) -> list[int]:
    """Batches of one epoch as transformers groups them, evenly spread; a round starts anew."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    generator = Generator().manual_seed(number)
    lengths = source.lengths.tolist()
    epoch = list(LengthGroupedSampler(BATCH, lengths=lengths, generator=generator))
    batches = [epoch[i : i + BATCH] for i in range(0, len(epoch) - BATCH + 1, BATCH)]
    offset = int(torch.randint(len(batches), (), generator=generator))
    measured = [(offset + i * len(batches) // STEPS) % len(batches) for i in range(STEPS)]
    return [i for k in (*measured[:WARM_UP], *measured) for i in batches[k]]


def _rows(task: TaskSettings, source: TokenizedSet, order: list[int]) -> list[dict[str, Any]]:
    """Examples as transformers' collator takes them."""
    label = int if task.kind.is_classification else float
    rows = []
    for i in order:
        batch = source.inputs([i])
        rows.append(
            {
                "input_ids": batch.token_ids.tolist(),
                "token_type_ids": batch.segment_ids.tolist(),
                "attention_mask": [1] * len(batch.token_ids),
                "labels": label(source.labels[i]),
            }
        )
    return rows


def _count_tokens(
    seen: list[NDArray[np.int64]], module: nn.Module, args: Any, kwargs: dict[str, Any]
) -> None:
    seen.append(kwargs["attention_mask"].sum(1).numpy())


def _clock(base: type) -> Any:
    """A callback that times the steps after the warm-up."""

    class Clock(base):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == WARM_UP:
                self.watch = Stopwatch()
            elif state.global_step == WARM_UP + STEPS:
                self.spent = self.watch.read()

    return Clock()
