"""One step of three tasks in many forms, whose gradients are computed by one process or several."""

import itertools
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.methods import choose
from mtbert.config.tasks import TaskSettings
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.base import TaskBatch
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.network import MultitaskNetwork
from mtbert.model.pooling import View
from mtbert.training import gradients

TASKS = {
    "sst": TaskSettings(kind="classification", labels=("a", "b", "c"), train="s", loss_weight=0.5),
    "para": TaskSettings(kind="pair_classification", train="p", loss="binary_cross_entropy"),
    "sts": TaskSettings(
        kind="pair_regression", train="t", head="mean", pair_encoding="separately",
        features="uv_absdiff_product", loss_weight=3.0,
    ),
}  # fmt: skip
LABELS = {
    "sst": [0, 1, 2, 2, 1, 0, 1, 1, 0, 2],
    "para": [0, 1, 1, 0, 0, 0, 1, 1, 0, 1],
    "sts": [0.0, 5, 2.5, 1, 4, 3.2, 0.4, 2, 2, 4.8],
}
CLASS_WEIGHTS = {"sst": [0.2, 1.7, 1.1]}
STEPS = {
    "uneven": {"sst": ([6, 0, 3, 2, 5, 1, 4], 1.0), "para": ([1, 7, 4], 2.0),
               "sts": ([0, 9, 8, 2, 5], 0.25)},
    "empty shares": {"sst": ([6], 1.0), "para": ([1, 7], 2.0), "sts": ([9, 8, 2, 5], 0.25)},
    "empty for all": {"sst": ([6], 1.0), "para": ([7], 1.0), "sts": ([9], 1.0)},
    "absent tasks": {"sts": ([9, 3], 1.0)},
}  # fmt: skip
"""Rows and the schedule's factor by task; shares are empty where rows are fewer than processes."""

CASES = {
    f"{step}-{surgery}-{'sparse' if sparse else 'dense'}-{dtype}": {
        "step": step, "surgery": surgery, "sparse": sparse, "dtype": dtype,
    }
    for step, surgery, sparse, dtype in itertools.product(
        STEPS, ("none", "pcgrad"), (True, False), ("float64", "float32")
    )
}  # fmt: skip
CASES["accumulated"] = {"step": "uneven", "surgery": "pcgrad", "accumulate": 2}
CASES["measured"] = {"step": "uneven", "surgery": "none", "measure": True}
CASES["by coordinate"] = {"step": "uneven", "surgery": "graddrop"}
CASES["by coordinate, dense"] = {"step": "empty shares", "surgery": "graddrop", "sparse": False}
CASES["pooled"] = {"step": "empty for all", "surgery": "pcgrad", "pooled": "sst"}
CASES["constrained"] = {"step": "uneven", "surgery": "gem", "constraints": ("sst", "para")}
CASES["several buckets"] = {"step": "uneven", "surgery": "pcgrad", "bucket": 5000}


class Examples:
    """Ten random examples of a task, each of one or two sequences; swapped ones are reversed."""

    def __init__(self, task, dtype):
        seed = [*TASKS].index(task) + 1
        generator = Generator().manual_seed(seed)
        sides = TASKS[task].sequences_per_example
        self.lengths = np.array([1 + (5 * i + seed) % 9 for i in range(10)])
        self.sides = [
            [torch.randint(1, 50, (n,), generator=generator) for n in self.lengths]
            for _ in range(sides)
        ]
        self.labels = torch.tensor(LABELS[task], dtype=dtype)

    def __len__(self):
        return len(self.labels)

    def inputs(self, indices, swapped=None):
        swapped = np.zeros(len(indices), bool) if swapped is None else swapped
        chosen = list(zip(indices, swapped, strict=True))
        rows = [side[i].flip(0) if flip else side[i] for side in self.sides for i, flip in chosen]
        ids = torch.cat(rows)
        return TokenBatch(ids, torch.zeros_like(ids), tuple(len(row) for row in rows))

    def label_tensor(self, indices, transform=None):
        return self.labels[indices]


def make_network(dtype, sparse=True, pooled=None):
    """Random weights, by which the gradients of the last two tasks oppose each other."""
    encoder = BertEncoder(
        EncoderConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32,
        )
    )  # fmt: skip
    generator = Generator().manual_seed(0)
    encoder.initialise(generator)
    network = MultitaskNetwork(encoder, TASKS)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for head in network.heads.values():
            head.initialise(generator, std=0.5)
        network.heads["sst"].linear.weight.mul_(3)
        network.heads["para"].linear.weight.copy_(-network.heads["sts"].linear.weight[:, :16])
    encoder.token_table.sparse = sparse
    if pooled is not None:
        network.heads[pooled].view = View("pooled")
    return network.to(dtype)


def sources(dtype):
    return {task: Examples(task, dtype) for task in TASKS}


def class_weights(dtype):
    return {task: torch.tensor(CLASS_WEIGHTS[task], dtype=dtype) if task in CLASS_WEIGHTS else None
            for task in TASKS}  # fmt: skip


def batches(step):
    """The tasks' batches; of `para` the first and every second one after it are swapped."""
    return {
        task: TaskBatch(
            np.array(rows), factor, np.arange(len(rows)) % 2 == 0 if task == "para" else None
        )
        for task, (rows, factor) in STEPS[step].items()
    }


def compute(processes, step, surgery, sparse=True, dtype="float64", pooled=None, wrong=False,
            bucket=None, constraints=(), **options):  # fmt: skip
    """Gradients by name, losses as `loss.TASK`, and the Gram matrix if there is one.

    Args:
        wrong: let each process project its own gradients, and add up the results.
        bucket: bytes that travel together.
        constraints: tasks whose batches only constrain.
    """
    from mtbert.distributed import process_group

    kind = getattr(torch, dtype)
    network = make_network(kind, sparse, pooled)
    chosen = {t: replace(b, reference=t in constraints) for t, b in batches(step).items()}
    shared = list(network.partition.shared.values())
    sum_over, size = gradients._sum_over, process_group._BUCKET
    with mock.patch.object(process_group, "_BUCKET", bucket or size):
        if wrong:
            gradients._sum_over = lambda *args: None
            processes.broadcast = lambda tensors: None
        found = gradients.compute_gradients(
            network, chosen, sources(kind), class_weights=class_weights(kind), shared=shared,
            options=gradients.GradientOptions(
                aggregator=choose(AGGREGATORS, surgery), orders=Generator().manual_seed(5),
                uniforms=Generator().manual_seed(6),
                processes=processes, **options,
            ),
        )  # fmt: skip
        if wrong:
            gradients._sum_over = sum_over
            sum_over(processes, network, shared, chosen)
            del processes.broadcast
    result = {
        name: parameter.grad.to_dense().contiguous().clone()
        for name, parameter in network.partition.all.items()
        if parameter.grad is not None
    }
    result |= {f"loss.{task}": loss.clone() for task, loss in found.losses.items()}
    return result if found.gram is None else result | {"gram": found.gram}
