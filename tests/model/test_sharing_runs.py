"""Every shipped sharing scheme through whole runs: trained, stopped, resumed, saved, asked.

Several processes: tests/distributed/test_process_group.py.
"""

import json
import random

import pytest
import torch
from safetensors.torch import load_file
from support.kills import KILLED, Child
from support.ranks import Ranks, command
from support.stops import train_in_parts
from support.toy import model_bytes, results

from mtbert.config.sharing import SHARINGS
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.training.run import plan

SCHEMES = {
    "top_layers": {"name": "top_layers", "layers": 1},
    "pals": {"name": "pals", "hidden_size": 6, "heads": 2},
    "lora": {"name": "lora", "rank": 2, "alpha": 16, "maps": ["query", "value", "outer"]},
    "soft": {"name": "soft"},
    "soft by trace norm": {"name": "soft", "by": "trace_norm", "strength": 0.5},
}
TASKS = ("sst", "sts")
each_scheme = pytest.mark.parametrize("sharing", SCHEMES.values(), ids=SCHEMES)
FREEZABLE = {name: s for name, s in SCHEMES.items() if s["name"] != "soft"}
freezable = pytest.mark.parametrize("sharing", FREEZABLE.values(), ids=FREEZABLE)


def test_every_scheme_is_tried():
    shipped = {kind().name for kind in SHARINGS if kind.has_own}
    assert {sharing["name"] for sharing in SCHEMES.values()} == shipped


@pytest.fixture
def run(toy, tmp_path):
    """A function that trains in a folder of a name."""

    def train(name, sharing, *, mode="finetune", resume=False, **training):
        encoder = {"sharing": sharing, "mode": mode, "heads_first_epochs": 1}
        toy.train(tmp_path / name, *TASKS, encoder=encoder, training=training, resume=resume)
        return tmp_path / name

    return train


def newest(folder):
    """The weights of a run's last checkpoint."""
    return load_file(max(folder.glob("checkpoints/step-*")) / "weights.safetensors")


@each_scheme
def test_a_model_is_saved_loaded_and_gives_the_answers_it_was_scored_by(run, toy, sharing):
    folder = run("run", sharing, average=0.5, clip=1.0, accumulate=2, head_learning_rate=1e-2)
    rows = (folder / "predictions" / "sst-dev.jsonl").read_text().splitlines()
    lines = (toy.folder / "sst-dev.csv").read_text().splitlines()[1:]
    model = MultitaskModel.from_pretrained(folder)
    found = model.predict("sst", [line.split(",")[1] for line in lines])
    for answer, row in zip(found, rows, strict=True):
        assert answer.score == pytest.approx(json.loads(row)["score"], abs=1e-5)
    own = model.network.partition.own
    assert own.keys() == set(TASKS)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["parameters"] == model.network.partition.counts()
    assert all(
        not torch.equal(a, b)
        for a, b in zip(own["sst"].values(), own["sts"].values(), strict=True)
        if a.ndim == 2
    )


@each_scheme
def test_a_run_stopped_after_every_step_ends_as_the_whole_one(run, monkeypatch, sharing):
    training = {"average": 0.9, "epochs": 1}
    whole = run("whole", sharing, **training)
    parts = train_in_parts(monkeypatch, 4, lambda: run("parts", sharing, resume=True, **training))
    assert results(parts) == results(whole)
    assert "own.safetensors" in model_bytes(whole)


@each_scheme
def test_a_run_that_is_killed_ends_as_one_left_alone(toy, tmp_path, sharing):
    changes = {"names": TASKS, "encoder": {"sharing": sharing}, "training": {"epochs": 1}}
    whole = Child(toy, tmp_path / "whole", changes)
    place = random.Random(sharing["name"]).randrange(len(whole.events) // 2, len(whole.events))
    assert Child(toy, tmp_path / "run", changes, at=place).code == KILLED
    assert Child(toy, tmp_path / "run", changes).code == 0
    assert results(tmp_path / "run") == results(tmp_path / "whole")


@freezable
def test_with_a_frozen_encoder_the_tasks_own_parts_and_the_heads_learn(run, toy, sharing):
    before = load_file(toy.encoder / "model.safetensors")
    folder = run("run", sharing, mode="frozen", head_learning_rate=1e-2)
    after = load_file(folder / "model" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    shorter = run("shorter", sharing, mode="frozen", head_learning_rate=1e-2, epochs=1)
    ends = [newest(f) for f in (shorter, folder)]
    assert all(name.startswith(("own.", "heads.")) for name in ends[0])
    moved = {n for n, tensor in ends[0].items() if not torch.equal(tensor, ends[1][n])}
    assert all(any(name.startswith(f"own.{task}.") for name in moved) for task in TASKS)
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [record for record in records if record["kind"] == "train"]
    assert {record["phase"] for record in steps} == {"own"}
    assert all(record["learning_rate"] == 1e-3 for record in steps)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder": {"mode": "frozen"}}, "encoder.mode: .* and none would be frozen"),
        ({"training": {"surgery": "pcgrad"}}, "training.surgery: .* the tasks share no parameters"),
    ],
)
def test_what_needs_shared_parameters_is_refused_where_there_are_none(toy, changes, told):
    encoder = {"sharing": "soft", **changes.get("encoder", {})}
    with pytest.raises(UserError, match=told):
        toy.settings(*TASKS, encoder=encoder, training=changes.get("training"))


@each_scheme
def test_the_heads_can_come_first(run, sharing):
    folder = run("run", sharing, mode="heads_first", epochs=1, head_learning_rate=1e-2)
    assert (folder / "model" / "own.safetensors").exists()


@each_scheme
def test_a_run_in_bf16_is_scored_again_as_it_was(toy, tmp_path, sharing):
    config = toy.config(
        tmp_path / "config.yaml", *TASKS, encoder={"sharing": sharing},
        training={"precision": "bf16", "epochs": 1},
    )  # fmt: skip
    log = tmp_path / "log"
    Ranks(1, log, command, "train", config, "--output", tmp_path / "run").finish()
    Ranks(1, log, command, "evaluate", tmp_path / "run", "--json").finish()
    again = json.loads((log / "0.out").read_text())
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert set(summary["dev"]) == set(TASKS)
    assert str(summary["dev"]["sst"]["accuracy"]) in json.dumps(again)


@each_scheme
def test_the_plan_counts_what_is_a_tasks_own(toy, sharing):
    settings = toy.settings(*TASKS, encoder={"sharing": sharing})
    assert "parameters of the tasks' own below their heads" in plan(settings)
