"""Batched inference: outputs, features and streamed predictions of a network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtbert.data.batches import FeatureSet, TokenizedSet, token_budget_batches, tokenize
from mtbert.data.examples import Example
from mtbert.data.tokenizer import Tokenizer
from mtbert.distributed.processes import ALONE, Processes
from mtbert.errors import UserError
from mtbert.hardware.memory import SMALLER, Memory, OutOfMemory
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.base import Prediction
from mtbert.objectives.table import decode, objective_of

__all__ = ["compute_features", "compute_joint_outputs", "compute_outputs", "predict_stream"]

_log = logging.getLogger(__name__)

_STREAM_CHUNK = 1024  # examples, and
_STREAM_CHARACTERS = 1 << 20


def compute_outputs(
    network: MultitaskNetwork,
    task: str,
    examples: TokenizedSet | FeatureSet,
    memory: Memory | None = None,
    processes: Processes = ALONE,
) -> NDArray[np.float64]:
    """Outputs of the task's head without dropout, `[examples, outputs]`, in the input's order.

    Those of a regression are in the unit of its labels, whatever it was trained on.

    Several processes take batches in turn. The batches do not depend on how many they are, so
    neither do the outputs.

    Raises:
        OutOfMemory: not even one example at a time fits into `memory`.
    """
    return compute_joint_outputs(network, [task], examples, memory, processes)[task]


@torch.no_grad()
def compute_joint_outputs(
    network: MultitaskNetwork,
    tasks: Sequence[str],
    examples: TokenizedSet | FeatureSet,
    memory: Memory | None = None,
    processes: Processes = ALONE,
) -> dict[str, NDArray[np.float64]]:
    """The same for several tasks that encode the examples alike: each is encoded once.

    Raises:
        OutOfMemory: as `compute_outputs`.
    """
    answers: list[tuple[NDArray[np.int64], dict[str, Tensor]]] = []

    def compute(indices: NDArray[np.int64]) -> None:
        vectors = _represent(network, tasks, examples, indices)
        answers.append((indices, {task: network(task, vectors[task]) for task in tasks}))

    batches = _in_batches(", ".join(tasks), examples, memory or Memory(), compute, processes)
    rows = _rows(batches, processes)
    found = {}
    for task in tasks:
        settings = network.tasks[task]
        outputs = np.empty((len(examples), objective_of(settings).outputs(settings)))
        for indices, answer in answers:  # read at the end: a GPU never waits for its next batch
            outputs[indices] = answer[task].to(torch.float64).cpu().numpy()
        processes.all_gather_rows(torch.from_numpy(outputs), rows)
        found[task] = network.head(task).scale.restore(outputs)
    return found


@torch.no_grad()
def compute_features(
    network: MultitaskNetwork,
    task: str,
    examples: TokenizedSet,
    memory: Memory | None = None,
    processes: Processes = ALONE,
) -> FeatureSet:
    """Encode once what a frozen encoder would encode every epoch, without dropout.

    Several processes take batches in turn; each gets all features.

    Raises:
        OutOfMemory: not even one example at a time fits into `memory`.
    """
    features = torch.empty(len(examples), *network.head(task).vector_shape)

    def compute(indices: NDArray[np.int64]) -> None:
        vectors = _represent(network, [task], examples, indices)[task].float()
        features[torch.from_numpy(indices)] = vectors.cpu()

    batches = _in_batches(task, examples, memory or Memory(), compute, processes)
    processes.all_gather_rows(features, _rows(batches, processes))
    return FeatureSet(features, examples)


def _represent(
    network: MultitaskNetwork,
    tasks: Sequence[str],
    examples: TokenizedSet | FeatureSet,
    indices: NDArray[np.int64],
) -> dict[str, Tensor]:
    """What each task's head reads of some examples, `[chosen, sides, …]`, on the heads' device.

    Of pairs in both orders it is the mean of both. Where the head of one sequence is linear, its
    output is the mean of both outputs too.
    """
    device = network.device
    if isinstance(examples, FeatureSet):
        return dict.fromkeys(tasks, examples.inputs(indices).to(device))
    found = network.represent_all(tasks, examples.inputs(indices).to(device))
    if not network.tasks[tasks[0]].in_both_orders:
        return found
    swapped = examples.inputs(indices, np.ones(len(indices), dtype=np.bool_)).to(device)
    others = network.represent_all(tasks, swapped)
    wide = torch.promote_types(found[tasks[0]].dtype, torch.float32)
    return {task: (found[task].to(wide) + others[task].to(wide)) / 2 for task in tasks}


def _in_batches(
    task: str,
    examples: TokenizedSet | FeatureSet,
    memory: Memory,
    compute: Callable[[NDArray[np.int64]], None],
    processes: Processes,
) -> list[NDArray[np.int64]]:
    """Compute this process's share of batches that fit; returns all of them.

    Where one does not fit, all are made smaller and begun afresh, so that they depend on the
    budget that is left and not on the place where memory ran out. Not so with several processes:
    the others would have other batches.
    """
    batches: list[NDArray[np.int64]] = []
    reasons: list[str] = []
    before = memory.token_budget

    def attempt() -> None:
        batches[:] = token_budget_batches(examples.lengths, memory.token_budget)
        for indices in processes.shard(batches):
            compute(indices)

    def smaller(reason: str) -> None:
        alone = processes.size == 1
        if len(batches) == len(examples) or not alone:
            helps = "" if memory.limit is None else "a higher `training.memory_limit` or "
            many = "one example at a time" if alone else f"{before} tokens at a time"
            raise OutOfMemory(
                f"task {task}: out of memory when answering {many}: {reason}; "
                f"{helps}{SMALLER} helps"
            )
        largest = max(int(examples.lengths[indices].sum()) for indices in batches)
        memory.token_budget = min(memory.token_budget, largest) // 2
        reasons.append(reason)

    memory.fit(attempt, smaller)
    if reasons:
        _log.warning(
            "task %s: out of memory: %s; answers are now computed in batches of %d tokens instead "
            "of %d",
            task, reasons[0], memory.token_budget, before,
        )  # fmt: skip
    return batches


def _rows(batches: list[NDArray[np.int64]], processes: Processes) -> list[NDArray[np.int64]]:
    """Which rows each process computes."""
    none = np.zeros(0, dtype=np.int64)
    return [np.concatenate([none, *share]) for share in processes.shards(batches)]


def predict_stream(
    network: MultitaskNetwork,
    name: str,
    examples: Iterable[Example],
    tokenizer: Tokenizer,
    max_length: int,
) -> Iterator[tuple[Example, Prediction]]:
    """Answer examples in order, a bounded number in memory at a time.

    Raises:
        UserError: a prediction is not finite, or memory runs out.
    """
    task, memory = network.tasks[name], Memory()
    for chunk in _chunks(examples):
        inputs = tokenize(chunk, task, tokenizer, max_length)
        outputs = compute_outputs(network, name, inputs, memory)
        answers = decode(task, outputs)
        for example, answer in zip(chunk, answers, strict=True):
            if not np.isfinite(answer.score):
                raise UserError(
                    f"task {name}: the answer for the row in line {example.line} is {answer.score};"
                    " the model's weights are damaged, or training went wrong"
                )
            yield example, answer


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Examples in lists of bounded length; one ends with the example that makes it too long."""
    chunk: list[Example] = []
    characters = 0
    for example in examples:
        chunk.append(example)
        characters += sum(map(len, example.texts))
        if len(chunk) == _STREAM_CHUNK or characters >= _STREAM_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
