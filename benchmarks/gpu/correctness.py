"""Does the device compute what the processor computes?

A network with random weights and three tasks (single sentences, pairs as one sequence, pairs as two
sequences with a number to predict) goes through one step on both. Dropout is off: the devices'
generators differ. Then whole runs: repeated, killed and resumed, and with one process of NCCL.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from benchmarks.gpu import material, switches
from benchmarks.gpu.children import ChildFailed, apart
from benchmarks.gpu.context import CheckFailed, Context
from mtbert.batch import TokenBatch
from mtbert.config.load import load_config
from mtbert.config.methods import choose
from mtbert.config.tasks import TaskSettings
from mtbert.distributed.process_group import join_group
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.base import SuperBatch, TaskBatch
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.table import example_losses
from mtbert.training import run
from mtbert.training.active import ActivePhase
from mtbert.training.gradients import (
    GradientOptions,
    StepGradients,
    compute_gradients,
    total_norm,
)
from mtbert.training.optimizer import AdamW, parameter_groups
from mtbert.training.trainer import Trainer

__all__ = ["comparison", "nccl", "repetition", "resume"]

CPU = torch.device("cpu")
FP32_BOUND = 1e-4
BF16_BOUND = 0.15
"""bf16 has eight bits; a few layers of them give a few percent, also on processors."""

TASKS = {
    "single": TaskSettings(kind="classification", labels=("a", "b", "c"), train="s"),
    "pair": TaskSettings(kind="pair_classification", train="p", head="mean", loss_weight=0.5),
    "score": TaskSettings(
        kind="pair_regression", train="t", range=(0.0, 5.0), head="mean",
        pair_encoding="separately", features="uv_absdiff_product",
    ),
}  # fmt: skip


# The comparison


class Examples:
    """Random examples of a task, a few tokens to a hundred each."""

    def __init__(self, name: str, count: int, vocabulary: int) -> None:
        task, seed = TASKS[name], [*TASKS].index(name)
        generator = np.random.default_rng(seed)
        sides = task.sequences_per_example
        sizes = generator.integers(4, 100, size=(sides, count))
        self.lengths: NDArray[np.int64] = sizes.sum(0)
        self.sides = [[generator.integers(1, vocabulary, size=n) for n in row] for row in sizes]
        outputs = len(task.class_names)
        drawn = generator.integers(outputs, size=count) if outputs else generator.random(count) * 5
        self.labels: NDArray[np.float64] = drawn.astype(np.float64)

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(
        self, indices: NDArray[np.int64], swapped: NDArray[np.bool_] | None = None
    ) -> TokenBatch:
        """The sequences, all first ones first."""
        rows = [side[i] for side in self.sides for i in indices]
        ids = torch.from_numpy(np.concatenate(rows))
        segments = torch.zeros_like(ids)
        return TokenBatch(ids, segments, tuple(len(row) for row in rows))

    def label_tensor(
        self, indices: NDArray[np.int64], transform: Callable[..., object] | None = None
    ) -> Tensor:
        """Class numbers or values."""
        return torch.from_numpy(self.labels[indices].astype(np.float32))


class Case:
    """One network and one step, on one device and in one kind of numbers."""

    def __init__(
        self,
        network: MultitaskNetwork,
        sources: Mapping[str, Examples],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        attention: str = "auto",
    ) -> None:
        """A copy of the network computes there."""
        self.network = copy.deepcopy(network)
        switches.fit(self.network.encoder, dtype, device, attention)
        self.network.to(device)
        self.sources, self.device = sources, device
        self.shared = self.network.partition.shared
        self.rows = {name: np.arange(len(source)) for name, source in sources.items()}

    def outputs(self, seed: int | None = None) -> dict[str, Tensor]:
        """Of each task, `[examples, outputs]`; with a seed under dropout."""
        found = {}
        with torch.no_grad():
            for name, source in self.sources.items():
                generator = None
                if seed is not None:
                    generator = Generator(self.device).manual_seed(seed)
                inputs = source.inputs(self.rows[name]).to(self.device)
                found[name] = self._home(self.network(name, inputs, generator))
        return found

    def losses(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of each task, `[examples]`."""
        return {
            name: self._home(
                example_losses(
                    TASKS[name],
                    outputs[name].to(self.device),
                    source.label_tensor(self.rows[name]).to(self.device),
                )
            )
            for name, source in self.sources.items()
        }

    def gradients(self, names: Sequence[str], surgery: str = "none") -> dict[str, Tensor]:
        """Of a step of some tasks, by parameter, and the Gram matrix if there is one."""
        found = self.backward(names, surgery)
        gradients = {
            name: self._home(parameter.grad.to_dense())
            for name, parameter in self.network.partition.all.items()
            if parameter.grad is not None
        }
        return gradients if found.gram is None else gradients | {"gram": self._home(found.gram)}

    def backward(self, names: Sequence[str], surgery: str = "none") -> StepGradients:
        """Fill `.grad` for a step of some tasks."""
        self.clear()
        step: SuperBatch = {name: TaskBatch(self.rows[name], 1.0, None) for name in names}
        return compute_gradients(
            self.network,
            step,
            self.sources,
            class_weights=dict.fromkeys(names),
            shared=list(self.shared.values()),
            options=GradientOptions(
                aggregator=choose(AGGREGATORS, surgery), orders=Generator().manual_seed(5)
            ),
        )

    def update(self) -> dict[str, Tensor]:
        """What one step of the optimizer adds to the weights with the gradients that are there."""
        before = {n: p.detach().clone() for n, p in self.network.partition.all.items()}
        heads = self.network.partition.all_heads
        groups = parameter_groups(
            self.shared, heads, learning_rate=1e-3, head_learning_rate=1e-2, weight_decay=0.01
        )
        optimizer = AdamW(groups)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"]
        optimizer.step()
        return {
            n: self._home(p.detach() - before[n]) for n, p in self.network.partition.all.items()
        }

    def take_gradients(self, other: Case) -> None:
        """Those of another case, as this one's own."""
        theirs = dict(other.network.partition.all.items())
        for name, parameter in self.network.partition.all.items():
            gradient = theirs[name].grad
            parameter.grad = None if gradient is None else gradient.to_dense().to(self.device)

    def weights(self) -> dict[str, Tensor]:
        """All of them."""
        return {n: self._home(p.detach()) for n, p in self.network.partition.all.items()}

    def clear(self) -> None:
        """Drop the gradients."""
        for parameter in self.network.parameters():
            parameter.grad = None

    def _home(self, tensor: Tensor) -> Tensor:
        return tensor.detach().to("cpu", torch.float64).clone()


def distance(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Norm of the difference over the norm of what is expected, all tensors as one vector."""
    if found.keys() != expected.keys():
        raise CheckFailed(f"other tensors: {sorted(found.keys() ^ expected.keys())}")
    apart = sum(float((found[n] - expected[n]).square().sum()) for n in expected)
    whole = sum(float(expected[n].square().sum()) for n in expected)
    return float((apart / whole) ** 0.5) if whole else float(apart > 0)


def comparison(context: Context) -> dict[str, Any]:
    """One step on the device beside the same on the processor, in fp32 and in bf16."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    device, scale = torch.device(context.device), context.scale
    encoder = material.new_encoder(scale.small, dropout=0.0)
    network = MultitaskNetwork(encoder, TASKS)
    generator = Generator().manual_seed(1)
    for head in network.heads.values():
        head.initialise(generator, std=0.2)
    sources = {name: Examples(name, scale.compared, scale.small[4]) for name in TASKS}
    checks: dict[str, dict[str, Any]] = {}
    figures = {"checks": checks, "bounds": {"fp32": FP32_BOUND, "bf16": BF16_BOUND}}
    expected = Case(network, sources, CPU)
    for attention in switches.attentions():
        title = "" if attention == "auto" else f", attention {attention}"
        kinds = (("fp32", torch.float32, FP32_BOUND), ("bf16", torch.bfloat16, BF16_BOUND))
        for kind, dtype, bound in kinds:
            if attention == "varlen" and (device.type != "cuda" or kind == "fp32"):
                checks[f"{kind}{title}"] = {"cannot": "it computes in bf16 on GPUs only"}
                continue
            case = Case(network, sources, device, dtype, attention)
            found = _distances(case, expected, whole=kind == "fp32")
            for what, value in found.items():
                passed = bool(value <= bound)
                checks[f"{what}, {kind}{title}"] = {
                    "distance": value, "bound": bound, "passed": passed,
                }  # fmt: skip
            context.note(figures)
        if attention != "varlen":
            checks[f"dropout repeats itself{title}"] = {
                "passed": _dropout_repeats(context, sources, device, attention)
            }
    if device.type == "cuda":
        checks["a step waits for nothing"] = _waits_for_nothing(Case(network, sources, device))
    context.note(figures)
    _raise_failed(checks)
    return figures


def _dropout_repeats(
    context: Context, sources: Mapping[str, Examples], device: torch.device, attention: str
) -> bool:
    """Whether dropout is the same for the same seed, and another one for another seed."""
    network = MultitaskNetwork(material.new_encoder(context.scale.small, dropout=0.1), TASKS)
    for head in network.heads.values():
        head.initialise(Generator().manual_seed(1))
    case = Case(network, sources, device, torch.bfloat16, attention)
    first, again, other = (case.outputs(seed) for seed in (1, 1, 2))
    return all(
        torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])
        for name in TASKS
    )


def _waits_for_nothing(case: Case) -> dict[str, Any]:
    """Whether a step without surgery lets the processor run ahead, as torch sees it."""
    optimizer, found_inf = AdamW(case.network.parameters()), torch.zeros((), device=case.device)

    def one() -> None:
        case.backward(list(TASKS))
        norm = total_norm(case.network.parameters())
        optimizer.step(grad_scale=norm.clamp(min=1), found_inf=found_inf)

    one()  # libraries start, and may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        one()
    except RuntimeError as error:
        return {"passed": False, "reason": str(error)[:300]}
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"passed": True}


def _distances(case: Case, expected: Case, *, whole: bool) -> dict[str, float]:
    """How far a case is from what is expected, by what is compared."""
    found: dict[str, float] = {}
    outputs, true_outputs = case.outputs(), expected.outputs()
    found["outputs"] = distance(outputs, true_outputs)
    found["losses"] = distance(case.losses(outputs), expected.losses(true_outputs))
    for name in TASKS:
        found[f"gradient of {name}"] = distance(case.gradients([name]), expected.gradients([name]))
    names = list(TASKS)
    ours, true = case.gradients(names, "pcgrad"), expected.gradients(names, "pcgrad")
    found["gram matrix"] = distance({"gram": ours.pop("gram")}, {"gram": true.pop("gram")})
    found["gradient after pcgrad"] = distance(ours, true)
    if whole:
        # A step of Adam has the signs of a gradient at first, also of one that is nothing but
        # rounding; so the step itself is compared for equal gradients.
        weights = copy.deepcopy(expected.network.state_dict())
        expected_update = expected.update()
        stepped = expected.weights()
        case.update()
        found["weights after a step"] = distance(case.weights(), stepped)
        expected.network.load_state_dict(weights)
        case.network.load_state_dict(weights)
        case.take_gradients(expected)
        found["update for equal gradients"] = distance(case.update(), expected_update)
        for one in (case, expected):
            one.network.load_state_dict(weights)
            one.clear()
    return found


def _raise_failed(checks: Mapping[str, Mapping[str, Any]]) -> None:
    failed = [name for name, check in checks.items() if check.get("passed") is False]
    if failed:
        raise CheckFailed(f"too far apart: {'; '.join(failed)}")


# Whole runs


def repetition(context: Context) -> dict[str, Any]:
    """Two equal runs of the demo with `training.deterministic` give equal bytes."""
    folder = context.work / "repeated"
    first, second = folder / "first", folder / "second"
    for output in (first, second):
        _run(context, output)
    return _compare_runs(context, first, second)


def resume(context: Context) -> dict[str, Any]:
    """A run that is killed and goes on ends as one that was never stopped."""
    folder = context.work / "resumed"
    whole, killed = folder / "whole", folder / "killed"
    at = context.scale.run_steps + 1  # after the first checkpoint, before the second
    _run(context, whole)
    try:
        _run(context, killed, kill_at=at)
    except ChildFailed as error:
        if str(error) != f"ended with code {-signal.SIGKILL}":
            raise
    else:
        raise CheckFailed("the run was not killed")
    left = [path.name for path in (killed / "checkpoints").glob("step-*")]
    _run(context, killed, resume=True)
    return _compare_runs(context, whole, killed) | {"killed_at_step": at, "went_on_from": left}


def _run(context: Context, output: Path, **options: Any) -> None:
    train = partial(_train_demo, context, output, **options)
    apart(context.device, train, max(1.0, context.seconds_left))


def _train_demo(
    context: Context, output: Path, kill_at: int | None = None, resume: bool = False
) -> None:
    """In a process of its own: the demo, shortened."""
    if kill_at is not None:
        _kill_before(kill_at)
    scale = context.scale
    settings = load_config(
        "demo",
        [
            f"device={context.device}",
            f"encoder.path={material.random_encoder(context, context.name, _run_sizes(context))}",
            "data.cache=false",
            "training.deterministic=true",
            "training.epochs=2",
            f"training.steps_per_epoch={scale.run_steps}",
            "training.log_every=1",
            "training.batch_size=16",
            "threads=1",
        ],
    )
    run.train(settings, output, resume=resume)


def _run_sizes(context: Context) -> tuple[int, int, int, int, int]:
    layers, hidden, heads, inner, _ = context.scale.small
    return layers, hidden, heads, inner, context.scale.vocabulary


def _kill_before(number: int) -> None:
    """Let this process be killed when it comes to a step."""
    train_step = Trainer._train_step

    def watched(self: Trainer, active: ActivePhase, step: SuperBatch) -> None:
        if self.state.step + 1 == number:
            os.kill(os.getpid(), signal.SIGKILL)
        train_step(self, active, step)

    Trainer._train_step = watched  # type: ignore[method-assign]


_TIMES = {
    "seconds", "step_seconds", "step_cpu_seconds", "evaluation_seconds", "encoding_seconds",
    "run_seconds", "tokens_per_second",
}  # fmt: skip


def _compare_runs(context: Context, first: Path, second: Path) -> dict[str, Any]:
    """Weights, predictions and metrics byte for byte, the summary but for its times."""
    same: dict[str, bool] = {}
    for name in ("model/model.safetensors", "model/heads.safetensors", "metrics.jsonl"):
        same[name] = (first / name).read_bytes() == (second / name).read_bytes()
    for file in sorted((first / "predictions").iterdir()):
        same[file.name] = file.read_bytes() == (second / "predictions" / file.name).read_bytes()
    summaries = [json.loads((path / "summary.json").read_text("utf-8")) for path in (first, second)]
    kept = [{k: v for k, v in s.items() if k not in _TIMES} for s in summaries]
    same["summary.json without times"] = kept[0] == kept[1]
    figures = {
        "same": same,
        "device": summaries[0]["device"],
        "precision": summaries[0]["precision"],
        "steps": summaries[0]["steps"],
        "dev": summaries[0]["dev"],
    }
    context.note(figures)
    if not all(same.values()):
        raise CheckFailed(f"differ: {', '.join(name for name, equal in same.items() if not equal)}")
    return figures


# One process of NCCL


def nccl(context: Context) -> dict[str, Any]:
    """A group of one process: sums, broadcasts and largest values of tensors on the device."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    device = torch.device(context.device)
    if device.type == "cuda":
        device = torch.device("cuda", 0)
        torch.cuda.set_device(device)
    with join_group(0, 1, 0) as group:
        values = [torch.arange(5.0, device=device), torch.ones(3, 2, device=device)]
        expected = [value.clone() for value in values]
        summed = list(values)
        group.all_reduce_sum(summed)
        copied = [value.clone() for value in expected]
        group.broadcast(copied)
        largest = group.all_reduce_max(expected[0])
        agreed = [
            torch.tensor(2.5, device=device),
            torch.tensor(0.1, device=device, dtype=torch.float64),
        ]
        for scalar in agreed:
            group.broadcast_scalar(scalar)
        rows = torch.eye(3)
        group.all_gather_rows(rows, [np.arange(3)])
        checks: dict[str, Callable[[], bool]] = {
            "sum": lambda: all(map(torch.equal, summed, expected)),
            "broadcast": lambda: all(map(torch.equal, copied, expected)),
            "largest": lambda: torch.equal(largest, expected[0]),
            "scalar": lambda: [scalar.item() for scalar in agreed] == [2.5, 0.1],
            "rows": lambda: torch.equal(rows, torch.eye(3)),
            "number": lambda: group.broadcast_number(1.5) == 1.5,
            "gather": lambda: group.all_gather({"a": 1}) == [{"a": 1}],
        }
        found = {name: bool(check()) for name, check in checks.items()}
        backend = torch.distributed.get_backend_config()
        version = ".".join(map(str, torch.cuda.nccl.version())) if device.type == "cuda" else None
    figures = {"passed": found, "backend": str(backend), "device": str(device)}
    figures |= {} if version is None else {"nccl": version}
    context.note(figures)
    if not all(found.values()):
        raise CheckFailed(f"wrong: {', '.join(name for name, good in found.items() if not good)}")
    return figures
