"""How fast does a training step go on the device, beside transformers' Trainer and the ceiling?

Everyone lives in a process of its own and they take turns; a round is a fair comparison. Each turn
is the real thing: mtbert's training loop and the real Trainer, on the same random batches, dropout
on, bf16, clipping at 1.0 and AdamW. Padding is not counted. A contestant that fails is recorded as
such and does not stop the others.
"""

from __future__ import annotations

import copy
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._dynamo
from numpy.typing import NDArray
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks import peers
from benchmarks.gpu import material, profiles, switches
from benchmarks.gpu.children import Child, ChildFailed, apart
from benchmarks.gpu.context import Context, Skipped
from benchmarks.peers import padded_prediction, trainer
from mtbert.commands.bench import step_flops
from mtbert.config.load import load_config, parse_settings
from mtbert.config.settings import Settings
from mtbert.data.batches import TokenizedSet
from mtbert.data.tasks import load_tasks
from mtbert.data.tokenizer import Tokenizer
from mtbert.distributed.processes import ALONE
from mtbert.hardware.device import flushed_denormals
from mtbert.hardware.machine import Stopwatch, ceilings, memory_mb, product_kinds, product_speeds
from mtbert.inference.predict import compute_outputs
from mtbert.methods.sampling.base import EpochSpec, SuperBatch
from mtbert.methods.sampling.epoch import plan_epoch
from mtbert.methods.sampling.method3 import Method3
from mtbert.model.encoders.base import Encoder
from mtbert.objectives.table import objective_of
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance
from mtbert.training.active import ActivePhase
from mtbert.training.phases.table import phases_of
from mtbert.training.setup import Prepared, prepare
from mtbert.training.trainer import Trainer

__all__ = ["ceiling", "compiled", "evaluation", "pairs", "pcgrad", "profiled", "sentences"]

RATE = 5e-5
CLIP = 1.0
MTBERT = "mtbert"
TRAINERS: dict[str, dict[str, Any]] = {
    "Trainer, eager": {"attention": "eager"},
    "Trainer, sdpa": {"attention": "sdpa"},
}
COMPILED_TRAINER = "Trainer, sdpa, compiled"
THREE = ("sst", "para", "sts")

_PREPARE_SECONDS = 120.0
_SHARE = 0.9
"""Of a step's time that its turns may take."""


@dataclass(frozen=True)
class Turn:
    """What a contestant is asked for.

    Attributes:
        number: of the round; decides the batches.
        batch: examples of a step.
        warm_up: steps before the clock runs.
        steps: measured ones.
        profiled: whether to look at what the device does meanwhile.
    """

    number: int
    batch: int
    warm_up: int
    steps: int
    profiled: bool = False


Contestant = Callable[[Turn], dict[str, Any]]


# The steps


def ceiling(context: Context) -> dict[str, Any]:
    """GFLOP/s of matrix products at BERT's shapes, in each kind of numbers."""
    device = torch.device(context.device)
    kinds = product_kinds(device)
    if context.miniature:
        return {"gflops": dict(ceilings(device))}
    shapes = {kind: product_speeds(kind, device) for kind in kinds}
    return {
        "gflops": {kind: max(found.values()) for kind, found in shapes.items()},
        "by_shape": shapes,
        "tf32_allowed": bool(torch.backends.cuda.matmul.allow_tf32),
    }


def sentences(context: Context) -> dict[str, Any]:
    """Training on single sentences."""
    return _training(context, "sst")


def pairs(context: Context) -> dict[str, Any]:
    """Training on pairs, each one sequence."""
    return _training(context, "sts")


def compiled(context: Context) -> dict[str, Any]:
    """Training with compiled code, which takes longer to begin with."""
    scale = context.scale
    everyone: dict[str, Callable[[], Contestant]] = {MTBERT: partial(ours, context, ("sst",), ())}
    _add_variants(everyone, context, [n for n in switches.VARIANTS if "compiled" in n])
    everyone[COMPILED_TRAINER] = partial(theirs, context, "sst", attention="sdpa", compiled=True)
    turns = [
        Turn(number, batch, scale.compiled_warm_up, scale.steps)
        for number in range(min(2, scale.rounds))
        for batch in scale.compiled_batches
    ]
    return _measure(context, everyone, turns)


def _training(context: Context, name: str) -> dict[str, Any]:
    scale = context.scale
    everyone: dict[str, Callable[[], Contestant]] = {MTBERT: partial(ours, context, (name,), ())}
    _add_variants(everyone, context, ["mtbert varlen"], name)
    for title, options in TRAINERS.items():
        everyone[title] = partial(theirs, context, name, **options)
    turns = [
        Turn(number, batch, scale.warm_up, scale.steps)
        for number in range(scale.rounds)
        for batch in scale.batches
    ]
    return _measure(context, everyone, turns)


def pcgrad(context: Context) -> dict[str, Any]:
    """One step of three tasks, with PCGrad and without."""
    scale = context.scale
    everyone: dict[str, Callable[[], Contestant]] = {
        MTBERT: partial(ours, context, THREE, ()),
        "mtbert pcgrad": partial(ours, context, THREE, ("training.surgery=pcgrad",)),
    }
    turns = [
        Turn(number, batch, scale.warm_up, scale.steps)
        for number in range(scale.rounds)
        for batch in scale.batches[:2]
    ]
    return _measure(context, everyone, turns)


def evaluation(context: Context) -> dict[str, Any]:
    """Sentences a second of prediction, bf16, beside a padded loop of transformers."""
    everyone: dict[str, Callable[[], Contestant]] = {
        MTBERT: partial(our_prediction, context),
        "transformers, sdpa, padded, batches of 256": partial(their_prediction, context),
    }
    turns = [Turn(number, 0, 0, 0) for number in range(context.scale.rounds)]
    return _measure(context, everyone, turns, key="sentences_per_second")


def profiled(context: Context) -> dict[str, Any]:
    """What the device does in a step, and for what share of the time it does nothing."""
    scale = context.scale
    answer = ours(context, ("sst",), ())
    found = {}
    for batch in (scale.batches[0], scale.batches[-1]):
        # Fewer steps than elsewhere: there are thousands of events in each.
        turn = Turn(0, batch, scale.warm_up, max(1, scale.steps // 2), profiled=True)
        found[str(batch)] = answer(turn)["profile"]
        context.note({"by_batch": found})
    return {"by_batch": found, "setup": _setup(context)}


def _add_variants(
    everyone: dict[str, Callable[[], Contestant]],
    context: Context,
    variants: Sequence[str],
    name: str = "sst",
) -> None:
    """Add mtbert as it computes with some changes of its settings."""
    for variant in variants:
        changes = tuple(f"{key}={value}" for key, value in switches.VARIANTS[variant].items())
        everyone[variant] = partial(ours, context, (name,), changes)


# Taking turns


def _measure(
    context: Context,
    everyone: Mapping[str, Callable[[], Contestant]],
    turns: Sequence[Turn],
    key: str = "tokens_per_second",
) -> dict[str, Any]:
    """Let everyone take turns; what has been found is noted after each."""
    end = context.deadline - (1 - _SHARE) * max(0.0, context.seconds_left)
    found: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    if not material.is_made(context, THREE):
        # Elsewhere, for a process that computes nothing has one thread and can be forked.
        apart(context.device, partial(material.make, context, THREE), max(1.0, _left(end)))
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        children = {}
        for name, make in everyone.items():
            children[name] = Child(context.device, make)
            stack.callback(children[name].close)
        for name, child in list(children.items()):
            try:
                child.ready(min(_PREPARE_SECONDS, _left(end)))
            except ChildFailed as error:
                failed[name] = str(error)
                del children[name]
        for turn in turns:
            if _left(end) <= 0:
                break
            for name, child in list(children.items()):
                try:
                    answer = child.ask(turn, max(1.0, _left(end)))
                except ChildFailed as error:
                    failed[name] = str(error)
                    del children[name]
                else:
                    found.setdefault(name, []).append(answer | {"round": turn.number})
            figures = _summary(context, found, failed, key)
            context.note(figures)
    if MTBERT not in found:
        raise RuntimeError(f"{MTBERT}: {failed.get(MTBERT, 'no time was left')}")
    return figures


def _left(end: float) -> float:
    return end - time.monotonic()


def _setup(context: Context) -> dict[str, Any]:
    scale = context.scale
    return {
        "data": material.data_used(context),
        "encoder": {
            "layers": scale.layers, "hidden": scale.hidden, "heads": scale.heads,
            "vocabulary": scale.vocabulary, "weights": "random",
        },
        "precision": "bf16",
        "steps_a_turn": scale.steps,
        "clip": CLIP,
        "flops": "6 x parameters of the layers x real tokens, and attention",
    }  # fmt: skip


def _summary(
    context: Context, found: Mapping[str, list[dict[str, Any]]], failed: Mapping[str, str], key: str
) -> dict[str, Any]:
    """Medians by contestant and batch, and ratios within rounds."""
    batches = sorted({turn["batch"] for turns in found.values() for turn in turns})
    best = _ceiling(context)
    by_batch = {}
    for batch in batches:
        here = {n: [t for t in turns if t["batch"] == batch] for n, turns in found.items()}
        here = {name: turns for name, turns in here.items() if turns}
        middle = {name: _medians(turns) for name, turns in here.items()}
        for figures in middle.values():
            if best is not None and "gflops" in figures:
                figures["share_of_ceiling"] = figures["gflops"] / best
        by_batch[str(batch)] = {
            "medians": middle,
            f"{MTBERT}_over": {
                name: _ratios(here[MTBERT], turns, key)
                for name, turns in here.items()
                if name != MTBERT and MTBERT in here
            },
        }
    return {
        "setup": _setup(context),
        "by_batch": by_batch,
        "turns": {name: list(turns) for name, turns in found.items()},
        "without_figures": dict(failed),
    } | ({} if best is None else {"ceiling_gflops": best})


def _ceiling(context: Context) -> float | None:
    """bf16 GFLOP/s as the step `ceiling` has measured them on this device; None if it has not."""
    file = context.of("ceiling", 0).figures_file
    if not file.is_file():
        return None
    found = json.loads(file.read_text("utf-8"))["gflops"]
    best = found.get("bf16")
    return None if best is None else float(best)


def _medians(turns: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    keys = [k for k, v in turns[0].items() if isinstance(v, float)]
    return {key: statistics.median(turn[key] for turn in turns) for key in keys}


def _ratios(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], key: str
) -> dict[str, float]:
    """Of first / second within each round that both have."""
    theirs_by_round = {turn["round"]: turn[key] for turn in second}
    found = [
        turn[key] / theirs_by_round[turn["round"]]
        for turn in first
        if turn["round"] in theirs_by_round
    ]
    return {"median": statistics.median(found), "least": min(found), "greatest": max(found)}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _Meter:
    """The clock and the memory of the measured steps."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.spent: dict[str, float] = {}

    def start(self) -> None:
        _wait(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._watch = Stopwatch()

    def stop(self) -> None:
        _wait(self.device)
        self.spent = self._watch.read()

    def figures(self, lengths: NDArray[np.int64], encoder: Encoder, turn: Turn) -> dict[str, Any]:
        """Of sequences of these lengths."""
        seconds, tokens = self.spent["seconds"], int(lengths.sum())
        return {
            "batch": turn.batch,
            "seconds": seconds,
            "ms_a_step": 1e3 * seconds / turn.steps,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "gflops": step_flops(encoder, lengths) / seconds / 1e9,
            "peak_memory_mb": _peak_mb(self.device),
            "others": self.spent["others"],
        }


def _peak_mb(device: torch.device) -> float:
    """On a GPU what torch's allocator had given out at most; else the process's peak so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / (1 << 20)
    return memory_mb("VmHWM")


# mtbert


def _settings(context: Context, names: Sequence[str], changes: Sequence[str]) -> Settings:
    tree = {
        "device": context.device,
        "data": {"cache": False},
        "encoder": {"path": str(material.timed_encoder(context))},
        "tasks": material.speed_tasks(context, *names),
        "training": {
            "epochs": 1,
            "learning_rate": RATE,
            "clip": CLIP,
            "precision": "bf16",
            "checkpoint_every": 10**6,
            "evaluate_every": 10**6,
        },
    }
    if not changes:
        return parse_settings(tree, "the check")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.yaml"
        file.write_text(json.dumps(tree), "utf-8")
        return load_config(str(file), list(changes))


def ours(context: Context, names: Sequence[str], changes: Sequence[str]) -> Contestant:
    """A contestant: mtbert's own training loop on its own preparation."""
    logging.disable(logging.WARNING)
    # Compiling for a processor takes a minute and says nothing.
    torch._dynamo.config.disable = context.miniature
    prepared = prepare(_settings(context, names, changes), ALONE)
    return partial(_our_turn, prepared)


class _Measured(Exception):
    """All steps of a turn are done."""


class _Timed(Trainer):
    """The training loop, with a clock that runs for some of its steps."""

    def __init__(self, turn: Turn, meter: _Meter, *args: Any) -> None:
        super().__init__(*args)
        self.turn, self.meter = turn, meter
        self.lengths: list[NDArray[np.int64]] = []
        self.profiler: profile | None = None

    def _train_step(self, active: ActivePhase, step: SuperBatch) -> None:
        turn = self.turn
        if self.state.step == turn.warm_up:
            self.lengths.clear()
            if turn.profiled:
                self.profiler = profile(activities=_activities(self.meter.device))
                self.profiler.__enter__()
            self.meter.start()
        super()._train_step(active, step)
        self.lengths += [active.data.sources[t].lengths[b.indices] for t, b in step.items()]
        if self.state.step == turn.warm_up + turn.steps:
            self.meter.stop()
            if self.profiler is not None:
                self.profiler.__exit__(None, None, None)
            raise _Measured


def _activities(device: torch.device) -> list[ProfilerActivity]:
    gpu = [ProfilerActivity.CUDA] if device.type == "cuda" else []
    return [ProfilerActivity.CPU, *gpu]


def _our_turn(prepared: Prepared, turn: Turn) -> dict[str, Any]:
    training = prepared.settings.training.model_copy(update={"batch_size": turn.batch})
    settings = prepared.settings.model_copy(update={"training": training, "seed": turn.number})
    names = list(prepared.train)
    spec = replace(
        prepared.spec,
        batch_size=dict.fromkeys(names, turn.batch),
        lengths=None,
        max_steps=turn.warm_up + turn.steps,
    )
    changed = replace(prepared, settings=settings, spec=spec)
    meter = _Meter(prepared.runtime.device)
    with tempfile.TemporaryDirectory() as folder, flushed_denormals():
        output = RunFolder(Path(folder) / "run", settings, Provenance({}, {}), resume=False)
        runtime = replace(prepared.runtime, seed=turn.number)
        loop = _Timed(turn, meter, prepared.network, phases_of(changed), training, runtime, output)
        try:
            loop.train()
        except _Measured:
            pass
        finally:
            output.close()
    lengths = np.concatenate(loop.lengths)
    found = meter.figures(lengths, prepared.network.encoder, turn)
    if loop.profiler is not None:
        found["profile"] = profiles.summary(loop.profiler, meter.spent["seconds"], turn.steps)
    for parameter in prepared.network.parameters():
        parameter.grad = None
    _let_go(prepared.runtime.device)
    return found


def _let_go(device: torch.device) -> None:
    """Let others have the memory that is not in use."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


# transformers


def theirs(
    context: Context, name: str, attention: str = "sdpa", compiled: bool = False
) -> Contestant:
    """A contestant: the real Trainer, in bf16, otherwise with what it does by default."""
    folder = material.timed_encoder(context)
    settings = _settings(context, (name,), ())
    found = load_tasks(settings, Tokenizer.from_folder(folder))[name].train
    assert found is not None
    task = settings.tasks[name]
    model = _transformers().BertForSequenceClassification.from_pretrained(
        folder, num_labels=objective_of(task).outputs(task), attn_implementation=attention
    )
    encoder = Encoder.from_pretrained(str(folder))
    label = int if task.kind.is_classification else float
    return partial(_their_turn, context, name, model, encoder, found.inputs, label, compiled)


def _transformers() -> Any:
    """The library.

    Raises:
        Skipped: it, or what its Trainer needs, is not installed.
    """
    try:
        return peers.transformers()
    except ImportError as error:
        raise Skipped(f"{error.name} is not installed (the extra `bench`)") from None


def _their_turn(
    context: Context,
    name: str,
    model: Any,
    encoder: Encoder,
    source: TokenizedSet,
    label: Callable[[float], float],
    compiled: bool,
    turn: Turn,
) -> dict[str, Any]:
    if compiled:
        torch._dynamo.reset()  # a limit counts what it has compiled for other turns
    # The order is a function of the task's name and the seed: it is that of mtbert's turn.
    spec = EpochSpec(
        examples={name: len(source)},
        batch_size={name: turn.batch},
        epochs=1,
        max_steps=turn.warm_up + turn.steps,
    )
    plan = [step[name].indices for step in plan_epoch(Method3(), spec, 0, turn.number)]
    meter = _Meter(torch.device(context.device))
    options = trainer.Options(
        batch=turn.batch,
        warm_up=turn.warm_up,
        steps=turn.steps,
        learning_rate=RATE,
        seed=turn.number + 1,
        clip=CLIP,
        bf16=True,
        cpu=context.device == "cpu",
        compiled=compiled,
        # On a processor it would take a compiler and a minute, and say nothing.
        compile_backend="eager" if compiled and context.miniature else None,
    )
    examples = trainer.rows(source, np.concatenate(plan).tolist(), label)
    trainer.train(copy.deepcopy(model), examples, options, meter)
    measured = np.concatenate(plan[turn.warm_up :])
    found = meter.figures(source.lengths[measured], encoder, turn)
    _let_go(meter.device)
    return found


# Prediction


def our_prediction(context: Context) -> Contestant:
    """A contestant: mtbert's prediction."""
    logging.disable(logging.WARNING)
    prepared = prepare(_settings(context, ("sst",), ()), ALONE)
    source = prepared.train["sst"]

    def predict() -> int:
        count = 0
        while count < context.scale.sentences:
            count += len(compute_outputs(prepared.network, "sst", source, prepared.runtime.memory))
        return count

    return partial(_predicted, predict, prepared.runtime.device)


def their_prediction(context: Context) -> Contestant:
    """A contestant: batches of 256 in the file's order, padded, bf16."""
    folder = material.timed_encoder(context)
    settings = _settings(context, ("sst",), ())
    found = load_tasks(settings, Tokenizer.from_folder(folder))["sst"].train
    assert found is not None
    source, device = found.inputs, torch.device(context.device)
    model = _transformers().BertForSequenceClassification.from_pretrained(
        folder, num_labels=5, attn_implementation="sdpa"
    )
    model = model.eval().to(device)

    def answer(inputs: dict[str, Tensor]) -> Tensor:
        logits: Tensor = model(**inputs).logits
        return logits

    def predict() -> int:
        count = 0
        while count < context.scale.sentences:
            found = padded_prediction.predict(answer, source, 256, device, torch.bfloat16)
            count += len(found)
        return count

    return partial(_predicted, predict, device)


def _predicted(predict: Callable[[], int], device: torch.device, turn: Turn) -> dict[str, Any]:
    if turn.number == 0:
        predict()
    meter = _Meter(device)
    meter.start()
    count = predict()
    meter.stop()
    return {
        "batch": turn.batch,
        "seconds": meter.spent["seconds"],
        "sentences_per_second": count / meter.spent["seconds"],
        "peak_memory_mb": _peak_mb(device),
    }
