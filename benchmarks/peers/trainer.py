"""transformers' Trainer, the real one, with what it does by default.

The order of the examples is given from outside, so that everyone trains on the same batches. A
batch is padded to its longest sequence, as by transformers' own collator but without a tokenizer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import SequentialSampler

from benchmarks.peers import transformers
from mtbert.data.batches import TokenizedSet

__all__ = ["Clock", "Options", "grouped_order", "rows", "train"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the Trainer is asked for.

    Attributes:
        batch: examples per step.
        warm_up: steps before the clock starts.
        steps: measured steps.
        learning_rate: at the start; the Trainer lets it decay linearly.
        seed: of dropout.
        clip: norm at which gradients are clipped.
        bf16: whether in autocast to bf16.
        cpu: whether on the processor though there may be a GPU.
        compiled: whether by torch.compile.
        compile_backend: of torch.compile, None for its default.
    """

    batch: int
    warm_up: int
    steps: int
    learning_rate: float
    seed: int
    clip: float = 1.0
    bf16: bool = False
    cpu: bool = True
    compiled: bool = False
    compile_backend: str | None = None


class Clock(Protocol):
    """Is told when the measured steps begin and when they are over."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def train(
    model: Any, examples: Sequence[Mapping[str, Any]], options: Options, clock: Clock
) -> None:
    """Train on examples in their order.

    Args:
        model: of transformers; changed.
        examples: `rows`, for `warm_up + steps` batches.
        options: how.
        clock: times the steps after the warm-up.
    """
    library = transformers()
    with tempfile.TemporaryDirectory() as output:
        trainer = _in_order(library)(
            model=model,
            args=library.TrainingArguments(
                output,
                per_device_train_batch_size=options.batch,
                max_steps=options.warm_up + options.steps,
                learning_rate=options.learning_rate,
                max_grad_norm=options.clip,
                seed=options.seed,
                bf16=options.bf16,
                use_cpu=options.cpu,
                torch_compile=options.compiled,
                torch_compile_backend=options.compile_backend,
                report_to="none",
                disable_tqdm=True,
                save_strategy="no",
                eval_strategy="no",
            ),
            train_dataset=examples,
            data_collator=_collate,
            callbacks=[_timed(library.TrainerCallback, options, clock)],
        )
        trainer.remove_callback(library.PrinterCallback)
        trainer.train()


def rows(
    source: TokenizedSet, indices: Iterable[int], label: Callable[[float], float]
) -> list[dict[str, Any]]:
    """Examples as the Trainer takes them, in this order; `label` makes an int or a float."""
    found = []
    for i in indices:
        example = source.inputs([i])
        found.append(
            {
                "input_ids": example.token_ids,
                "token_type_ids": example.segment_ids,
                "attention_mask": torch.ones_like(example.token_ids),
                "labels": label(source.labels[i]),
            }
        )
    return found


def grouped_order(lengths: NDArray[np.int64], options: Options, seed: int) -> list[int]:
    """Batches of similar length by transformers' own sampler, evenly spread over its epoch.

    The sampler hands out each pool of 50 batches from the longest to the shortest, so the first
    dozen would all be long ones. The warm-up sees the first of the measured batches.
    """
    from transformers.trainer_pt_utils import LengthGroupedSampler

    generator = torch.Generator().manual_seed(seed)
    size = options.batch
    epoch = list(LengthGroupedSampler(size, lengths=lengths.tolist(), generator=generator))
    batches = [epoch[i : i + size] for i in range(0, len(epoch) - size + 1, size)]
    offset = int(torch.randint(len(batches), (), generator=generator))
    measured = [
        (offset + i * len(batches) // options.steps) % len(batches) for i in range(options.steps)
    ]
    return [i for k in (*measured[: options.warm_up], *measured) for i in batches[k]]


def _in_order(library: Any) -> Any:
    """The Trainer, on the rows in their order; a name that versions 4 and 5 have."""

    class InOrder(library.Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *args: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    return InOrder


def _collate(examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Padded to the longest, `[batch, length]` each; labels `[batch]`."""
    found = {
        key: pad_sequence([row[key] for row in examples], batch_first=True)
        for key in ("input_ids", "token_type_ids", "attention_mask")
    }
    return found | {"labels": torch.tensor([row["labels"] for row in examples])}


def _timed(base: type, options: Options, clock: Clock) -> Any:
    """A callback that starts the clock after the warm-up and stops it after the last step."""

    class Timed(base):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == options.warm_up:
                clock.start()
            elif state.global_step == options.warm_up + options.steps:
                clock.stop()

    return Timed()
