"""A sharing scheme in which each task has a part of its own, through a whole run.

The network, the optimizer, checkpoints, model folders and several processes work on the partition,
whatever the scheme, which this proves; those that are shipped: test_sharing_runs.py.
"""

import json
from typing import Literal

import pytest
import torch
from support.stops import train_in_parts
from support.toy import model_bytes, results
from torch import nn

from mtbert.config import sharing as options
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.model.sharing import table
from mtbert.model.sharing.base import Encoded, Partition
from mtbert.model.sharing.hard import HardTrunk
from mtbert.training.trainer import Trainer


class Shift(options.Sharing):
    """A task's own vector is added to the hidden states."""

    name: Literal["shift"] = "shift"
    start: float = 0.1


class ShiftTrunk(HardTrunk):
    """The encoder, and a vector for each task."""

    def __init__(self, given, encoder, tasks):
        super().__init__(given, encoder, tasks)
        self.start = given.start
        sizes = dict.fromkeys(tasks, encoder.config.hidden_size)
        self.own = nn.ParameterDict({t: nn.Parameter(torch.empty(n)) for t, n in sizes.items()})

    def initialise(self, generator):
        for vector in self.own.values():
            vector.data.normal_(0, self.start, generator=generator)

    def encode(self, task, batch, generator=None, **wanted):
        states, layout = super().encode(task, batch, generator, **wanted)
        return Encoded(states + self.own[task].to(states.dtype), layout)

    def partition(self):
        own = {task: {f"shift.{task}": vector} for task, vector in self.own.items()}
        return Partition(super().partition().shared, own)


@pytest.fixture(autouse=True)
def scheme(monkeypatch):
    """Configurations may name it."""
    monkeypatch.setattr(options, "SHARINGS", (*options.SHARINGS, Shift))
    monkeypatch.setitem(table.TRUNKS, Shift, ShiftTrunk)


SHARING = {"sharing": {"name": "shift", "start": 0.5}}


@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
def test_own_parts_learn_are_saved_and_answer(toy, tmp_path, surgery):
    training = {"surgery": surgery, "head_learning_rate": 1e-2, "average": 0.5}
    toy.train(tmp_path / "run", encoder=SHARING, training=training)
    meta = json.loads((tmp_path / "run" / "model" / "mtbert.json").read_text())
    assert meta["sharing"] == SHARING["sharing"]
    model = MultitaskModel.from_pretrained(tmp_path / "run")
    own = model.network.partition.all_own
    assert set(own) == {"shift.sst", "shift.para", "shift.sts"}
    lines = (tmp_path / "run" / "predictions" / "sst-dev.jsonl").read_text().splitlines()
    texts = [line.split(",", 2) for line in (toy.folder / "sst-dev.csv").read_text().splitlines()]
    column = texts[0].index("sentence")
    answers = model.predict("sst", [row[column] for row in texts[1:]])
    for answer, line in zip(answers, lines, strict=True):
        assert answer.score == pytest.approx(json.loads(line)["score"], abs=1e-5)
    with torch.no_grad():
        own["shift.sst"].add_(10)
    assert model.predict("sst", ["good film"])[0].score != answers[0].score


def test_own_parts_go_on_exactly_after_every_stop(toy, tmp_path, monkeypatch):
    toy.train(tmp_path / "whole", encoder=SHARING)
    train_in_parts(
        monkeypatch, 6, lambda: toy.train(tmp_path / "parts", encoder=SHARING, resume=True)
    )
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert model_bytes(tmp_path / "parts") == model_bytes(tmp_path / "whole")


def test_own_parts_learn_at_the_encoders_rate_and_the_heads_at_their_own(
    toy, tmp_path, monkeypatch
):
    peaks = {}
    launch = Trainer._launch

    def noting(self, active, step):
        for group in active.learner.optimizer.param_groups:
            peaks.update(dict.fromkeys(group["names"], group["peak"]))
        return launch(self, active, step)

    monkeypatch.setattr(Trainer, "_launch", noting)
    training = {"learning_rate": 1e-3, "head_learning_rate": 1e-2, "epochs": 1}
    toy.train(tmp_path / "run", encoder=SHARING, training=training)
    assert peaks["shift.sst"] == 1e-3
    assert peaks["heads.sst.linear.weight"] == 1e-2


def test_a_model_folder_without_its_own_parts_is_refused(toy, tmp_path):
    toy.train(tmp_path / "run", encoder=SHARING, training={"epochs": 1})
    (tmp_path / "run" / "model" / "own.safetensors").unlink()
    with pytest.raises(UserError, match=r"own\.safetensors"):
        MultitaskModel.from_pretrained(tmp_path / "run")
