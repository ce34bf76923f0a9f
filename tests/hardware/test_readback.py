"""What a step reads from the device, and when."""

import sys

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mtbert.hardware.readback import Readback
from mtbert.training import gram, trainer
from mtbert.training.trainer import Trainer

WAITING_CALLS = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__"}
WAITING_OPERATIONS = {
    "_local_scalar_dense", "nonzero", "unique", "unique2", "_unique2", "unique_consecutive",
    "masked_select", "equal", "_coalesce", "repeat_interleave",
}  # fmt: skip
ON_THE_HOST = {"Layout.__init__", "_random_bytes", "TokenizedSet.inputs", "Ragged.take"}
"""Work on tensors that lie on the host whatever the device is."""

WRAPPERS = ("Waits.", "DisableContext.")


def callers():
    """Qualified names of the functions that are running, the innermost first."""
    names, frame = [], sys._getframe(2)
    while frame is not None:
        names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return names


class Waits:
    """Notes, while it is entered, what would make the host wait for the device, and where."""

    def __init__(self):
        self.found = found = []

        def note(name):
            names = callers()
            if not ON_THE_HOST & set(names):
                found.append((name, [n for n in names if not n.startswith(WRAPPERS)]))

        class Calls(TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                if (name := getattr(function, "__name__", "")) in WAITING_CALLS:
                    note(name)
                return function(*args, **(kwargs or {}))

        class Operations(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                if (name := function.overloadpacket.__name__) in WAITING_OPERATIONS:
                    note(name)
                return function(*args, **(kwargs or {}))

        self.modes = Calls(), Operations()

    def __enter__(self):
        for mode in self.modes:
            mode.__enter__()
        return self.found

    def __exit__(self, *error):
        for mode in reversed(self.modes):
            mode.__exit__(*error)


def test_values_come_back_in_order():
    assert Readback(torch.tensor([1.5, -2.0, float("inf")])).read() == [1.5, -2.0, float("inf")]


@pytest.mark.parametrize("wait", [
    lambda x: x.item(), lambda x: x.tolist(), lambda x: bool(x > 0), lambda x: x.nonzero(),
    lambda x: torch.equal(x, x), lambda x: float(x), lambda x: x.cpu(),
])  # fmt: skip
def test_what_waits_is_found(wait):
    with Waits() as found:
        wait(torch.ones(()))
    assert found


@pytest.mark.parametrize(
    ("training", "allowed"),
    [
        ({}, set()),
        ({"clip": 0.5, "average": 0.9, "weight_decay": 0.1, "accumulate": 2}, set()),
        ({"surgery": "pcgrad"}, {"gram_matrix", "PCGrad.weights"}),
    ],
)
@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_a_step_waits_for_nothing_and_with_surgery_for_the_gram_matrix(
    toy, tmp_path, monkeypatch, training, allowed, kernel
):
    """With what a GPU uses: losses read late, dense gradients, one vector a task."""
    monkeypatch.setattr(trainer, "_reads_late", lambda device: True)
    monkeypatch.setattr(gram, "_as_one_vector", lambda device: True)
    launch, order = Trainer._launch, []

    def watched(self, active, step):
        self.network.encoder.token_table.sparse = False
        with Waits() as found:
            launched = launch(self, active, step)
        order.append(("launched", found))
        return launched

    def read(self):
        order.append(("read", None))
        return original(self)

    original = Readback.read
    monkeypatch.setattr(Trainer, "_launch", watched)
    monkeypatch.setattr(Readback, "read", read)
    training = {"epochs": 1, "gradients_every": 100, "log_every": 1, **training}
    toy.train(tmp_path / "run", training=training, encoder={"attention": kernel})
    assert [what for what, _ in order] == ["launched", "launched", "read", "launched", "read",
                                           "read"]  # fmt: skip
    waited = [found for what, found in order if what == "launched"][1:]  # the first is measured
    for found in waited:
        elsewhere = [(n, where) for n, where in found if not allowed & set(where)]
        if not allowed:
            assert elsewhere == []
            continue
        # PCGrad works on the host, on what gram_matrix has read at one go; its answer lies there
        # too.
        assert [(n, where[0]) for n, where in elsewhere] == [("numpy", "_factors")]
        assert [n for n, where in found if "gram_matrix" in where and n == "tolist"] == ["tolist"]
