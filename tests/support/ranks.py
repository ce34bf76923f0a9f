"""Several processes of one run on this machine, as torchrun would start them; loopback only.

They are forked by the server of `kills`, which has imported torch once. What they do is a function
of this module, so that it can be named to them.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from support.kills import server

SECONDS = 30  # for all processes of a run; what takes longer hangs


class Ranks:
    """Processes at work.

    Attributes:
        folder: where they write what they print, `RANK.out` and `RANK.err`.
    """

    def __init__(self, size, folder, function, *arguments, **environment):
        """Start `function(rank, *arguments)` in so many processes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.size = folder, size
        addresses = rendezvous(size) | {k: str(v) for k, v in environment.items()}
        self.processes = [
            server().Process(target=enter, args=(rank, addresses, folder, function, arguments))
            for rank in range(size)
        ]
        for process in self.processes:
            process.start()

    def codes(self, seconds=SECONDS):
        """Wait for all; their exit codes by rank. One that hangs is killed and has None."""
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))
        hanging = [process for process in self.processes if process.is_alive()]
        for process in hanging:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        return [None if p in hanging else p.exitcode for p in self.processes]

    def told(self, rank=0, stream="err"):
        """What a process has printed."""
        return (self.folder / f"{rank}.{stream}").read_text("utf-8")

    def notes(self, rank=0):
        """What a process has noted."""
        lines = (self.folder / f"{rank}.notes").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def finish(self):
        """All must end well and say nothing in their stead but the first."""
        codes = self.codes()
        assert codes == [0] * self.size, [self.told(rank) for rank in range(self.size)]
        for rank in range(1, self.size):
            assert self.told(rank) == self.told(rank, "out") == ""
        return self


def rendezvous(size):
    """The environment that says where so many processes meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "GLOO_SOCKET_IFNAME": "lo",
    }


def enter(rank, addresses, folder, function, arguments):
    """The child: its output into files, then the function."""
    for number, stream in ((1, "out"), (2, "err")):
        file = os.open(folder / f"{rank}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    for stream, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, stream, open(number, "w", closefd=False, encoding="utf-8"))  # noqa: SIM115
    os.environ |= addresses | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.chdir(folder)
    sys.exit(function(rank, *arguments))


# What processes do


def command(rank, *arguments):
    """`mtbert …`"""
    from mtbert.cli import main

    return main([str(part) for part in arguments])


def threads_left(rank):
    """How many threads of gloo there are once the group is left, though it is still held."""
    from mtbert.distributed.launch import join_processes

    def of_gloo():
        names = [file.read_text("utf-8") for file in Path("/proc/self/task").glob("*/comm")]
        return sum("gloo" in name for name in names)

    with join_processes() as group:
        group.broadcast_number(1.0)
        group.all_gather(rank)
        before = of_gloo()
    assert before > 0
    held = group
    left = of_gloo()
    assert held is group
    return left


def own_command(rank, commands):
    """`mtbert …`, another one in each process."""
    return command(rank, *commands[rank])


def trouble(rank, kind, *arguments):
    """`mtbert …`, with something that goes wrong in one of the processes."""
    TROUBLE[kind](rank)
    return command(rank, *arguments)


def at_step(number, rank, guilty, action):
    """Do something before a step in one process."""
    from mtbert.training.trainer import Trainer

    train_step = Trainer._train_step

    def watched(self, *args):
        if rank == guilty and self.state.step + 1 == number:
            action()
        train_step(self, *args)

    Trainer._train_step = watched


def send(number):
    return lambda: os.kill(os.getpid(), number)


def fail(error):
    def action(*args, **kwargs):
        raise error

    return action


def no_space(name):
    def install(rank):
        from mtbert.runs import checkpoint
        from mtbert.runs import folder as run_folder

        full = fail(OSError(28, "No space left on device"))
        if name == "checkpoint":
            checkpoint.save_file = full
        elif name == "predictions":
            run_folder.atomic.new_file = full_writing
        else:
            run_folder._line = full

    return install


@contextlib.contextmanager
def full_writing(path):
    from mtbert.io import atomic

    with atomic.writing(path):
        raise OSError(28, "No space left on device")
    yield


def sleepy(rank):
    """One process is slow, now here, now there."""
    import random

    from mtbert.training import step as computation

    compute, source = computation.compute_gradients, random.Random(rank)

    def slow(*args, **kwargs):
        time.sleep(source.random() / 20 if rank == 1 else 0)
        return compute(*args, **kwargs)

    computation.compute_gradients = slow


def drift(rank):
    """The weights of process 1 are off by one unit in the last place of one weight."""
    import torch

    from mtbert.training.trainer import Trainer

    train_step = Trainer._train_step

    def watched(self, active, step):
        train_step(self, active, step)
        if rank == 1:
            first = next(iter(active.learner.parameters.values())).detach().view(-1)[:1]
            first.copy_(torch.nextafter(first, torch.full_like(first, torch.inf)))

    Trainer._train_step = watched


TROUBLE = {
    "process 1 is killed": lambda rank: at_step(3, rank, 1, send(signal.SIGKILL)),
    "process 0 is killed": lambda rank: at_step(3, rank, 0, send(signal.SIGKILL)),
    "process 1 does not answer": lambda rank: at_step(3, rank, 1, send(signal.SIGSTOP)),
    "process 1 raises": lambda rank: at_step(3, rank, 1, fail(ValueError("a defect"))),
    "process 0 is asked to stop": lambda rank: at_step(3, rank, 0, send(signal.SIGINT)),
    "process 1 is asked to stop": lambda rank: at_step(3, rank, 1, send(signal.SIGTERM)),
    "no space for a checkpoint": no_space("checkpoint"),
    "no space for predictions": no_space("predictions"),
    "no space for a line": no_space("line"),
    "process 1 is slow": sleepy,
    "process 1 drifts": drift,
}


def noted(rank, kind, *arguments):
    """`mtbert …`, noting the ids of the examples of each step, maybe with trouble."""
    from mtbert.training.trainer import Trainer

    if kind is not None:
        TROUBLE[kind](rank)
    train_step = Trainer._train_step
    notes = open(f"{rank}.notes", "a", encoding="utf-8", buffering=1)  # noqa: PTH123, SIM115

    def watched(self, active, step):
        ids = {t: [active.data.ids[t][row] for row in b.indices] for t, b in step.items()}
        train_step(self, active, step)
        print(json.dumps([self.state.step, ids]), file=notes)

    Trainer._train_step = watched
    return command(rank, *arguments)


def train_wide(rank, *arguments):
    """`mtbert …` in float64, so that what is left of a difference is no rounding."""
    import torch

    from mtbert.data.batches import FeatureSet, TokenizedSet
    from mtbert.training.trainer import Trainer

    start = Trainer.__init__

    def widened(self, network, *args, **kwargs):
        network.double()
        for encoder in network.trunk.encoders:
            encoder.compute_dtype = None
        start(self, network, *args, **kwargs)

    Trainer.__init__ = widened
    for cls in (TokenizedSet, FeatureSet):
        cls.label_tensor = lambda self, indices, transform: torch.from_numpy(
            transform(self.labels[indices])
        )
    return command(rank, *arguments)


def score(rank, run):
    """Evaluate a run's model on its dev sets in batches of a few tokens, into RANK.json."""

    from mtbert.config.load import data_file
    from mtbert.data.datasets import load_data_set
    from mtbert.distributed.launch import join_processes
    from mtbert.hardware.memory import Memory
    from mtbert.inference.evaluate import EvaluationSet, evaluate
    from mtbert.inference.model import MultitaskModel
    from mtbert.runs.folder import read_run

    memory = Memory()
    memory.token_budget = 24
    settings, folder = read_run(run)
    model = MultitaskModel.from_pretrained(folder)
    sets = []
    for name, task in settings.tasks.items():
        file = data_file(settings, task.dev)
        found = load_data_set(file, task, model.tokenizer, model.max_length)
        sets.append(EvaluationSet(name, "dev", found.ids, found.inputs))
    with join_processes() as processes:
        found = evaluate(model.network, sets, memory, processes)
    Path(f"{rank}.json").write_text(json.dumps([found.dev, found.predictions]))


def gradients(rank, cases):
    """The gradients of each case, `RANK-NAME.safetensors`."""
    from safetensors.torch import save_file

    from mtbert.distributed.launch import join_processes
    from support.gradient_cases import compute

    with join_processes() as processes:
        for name, case in cases.items():
            save_file(compute(processes, **case), f"{rank}-{name}.safetensors")
