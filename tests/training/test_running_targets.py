"""`target: popart` through whole runs: the scale follows the labels, and answers stay."""

import csv
import json

import numpy as np
import pytest
import torch
from support.stops import train_in_parts
from support.toy import TASKS, model_bytes, records, results

from mtbert.distributed.processes import ALONE
from mtbert.inference.model import MultitaskModel
from mtbert.methods.sampling.base import TaskBatch
from mtbert.model.saved import load_network
from mtbert.objectives.popart import RunningScale
from mtbert.runs.state import State
from mtbert.training.learner import make_learner
from mtbert.training.phases.table import phases_of
from mtbert.training.running_targets import RunningTargets
from mtbert.training.selection import Selection
from mtbert.training.setup import prepare

VARIANTS = {
    "finetune": {},
    "surgery, average and parts": {
        "training": {"surgery": "pcgrad", "average": 0.9, "accumulate": 2, "clip": 1.0}
    },
    "frozen": {"encoder": {"mode": "frozen"}},
    "heads first": {"encoder": {"mode": "heads_first", "heads_first_epochs": 1}},
    "skipped steps": {"training": {"non_finite": "skip"}},
}
COSINE = {"pair_encoding": "separately", "features": "cosine"}


def tasks(**changes):
    sts = TASKS["sts"] | {"range": None, "target": "popart"} | changes
    return {"sst": dict(TASKS["sst"]), "sts": sts}


def labels(toy, file):
    with (toy.folder / file).open(newline="") as stream:
        return np.array([float(row["label"]) for row in csv.DictReader(stream)])


def watch(monkeypatch, tell):
    """Call `tell(targets, step, sources)` after the scales have followed each step."""
    observe = RunningTargets.observe

    def observing(self, step, sources):
        observe(self, step, sources)
        tell(self, step, sources)

    monkeypatch.setattr(RunningTargets, "observe", observing)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_goes_on_exactly_after_every_stop(toy, tmp_path, monkeypatch, variant):
    changes = {"tasks": tasks(), **VARIANTS[variant]}
    toy.train(tmp_path / "whole", **changes)
    train_in_parts(
        monkeypatch,
        len(records(tmp_path / "whole", "train")),
        lambda: toy.train(tmp_path / "parts", resume=True, **changes),
    )
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert model_bytes(tmp_path / "parts") == model_bytes(tmp_path / "whole")


def test_the_scale_is_that_of_the_labels_each_step_has_seen(toy, tmp_path, monkeypatch):
    seen, found = [], []

    def tell(targets, step, sources):
        seen.append(sources["sts"].labels[step["sts"].indices])
        found.append(targets._state.target_scales["sts"])

    watch(monkeypatch, tell)
    toy.train(tmp_path / "run", tasks=tasks())
    expected = RunningScale()
    for batch, values in zip(seen, found, strict=True):
        expected = expected.after(batch)
        assert values == (expected.mean, expected.variance, expected.updates)
    assert len(seen) == len(records(tmp_path / "run", "train"))


@pytest.mark.parametrize("changes", [{}, COSINE, {"hidden_size": 4}], ids=["", "cosine", "hidden"])
def test_answers_stay_and_so_do_those_of_the_average(toy, changes):
    """In float64, of a whole network with dropout off, while scales jump.

    But for the first step, from which a fresh head answers about the mean of its labels.
    """
    settings = toy.settings(tasks=tasks(**changes), training={"average": 0.5})
    prepared = prepare(settings, ALONE)
    network = prepared.network.double()
    network.trunk.compute_in(torch.float64)
    (phase,) = phases_of(prepared)
    learner = make_learner(network, phase, settings.training)
    targets = RunningTargets(network, learner, State())
    batch = prepared.train["sts"].inputs(np.arange(5))
    draw = np.random.default_rng(0)

    def observe():
        prepared.train["sts"].labels[:] = draw.normal(1950, draw.uniform(1, 50), 20)
        targets.observe({"sts": TaskBatch(draw.permutation(20)[:4])}, prepared.train)

    def answers():
        scale = network.heads["sts"].scale
        plain = scale.restore(network("sts", batch).detach().numpy())
        with learner.average.in_place():
            return plain, scale.restore(network("sts", batch).detach().numpy())

    observe()
    scale = network.heads["sts"].scale
    assert all(np.abs(a - scale.mean).max() <= 3 * scale.deviation for a in answers())
    with torch.no_grad():
        for weights in learner.average.weights.values():
            weights.add_(0.1)
    for _ in range(20):
        before = answers()
        observe()
        for ours, theirs in zip(answers(), before, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    assert network.heads["sts"].scale.mean == pytest.approx(1950, rel=0.05)


@pytest.mark.parametrize("offset", [0, 1900])
def test_it_learns_about_what_a_standardised_target_does(toy, tmp_path, offset):
    """The first answers are about the mean, and the unit of the labels does not matter."""
    for part in ("train", "dev"):
        text = (toy.folder / f"sts-{part}.csv").read_text().splitlines()
        moved = [text[0]]
        for line in text[1:]:
            cells, label = line.rsplit(",", 1)
            moved.append(f"{cells},{offset + float(label)}")
        (toy.folder / f"moved-{part}.csv").write_text("\n".join(moved) + "\n")
    files = {"train": "moved-train.csv", "dev": "moved-dev.csv"}
    toy.train(tmp_path / "run", tasks=tasks(**files), training={"epochs": 6})
    found = labels(toy, "moved-train.csv")
    losses = [r["loss"]["sts"] for r in records(tmp_path / "run", "train")]
    assert losses[-1] < 3 * found.var()
    lines = (tmp_path / "run" / "predictions" / "sts-dev.jsonl").read_text().splitlines()
    answers = [json.loads(line)["prediction"] for line in lines]
    assert np.mean(answers) == pytest.approx(found.mean(), abs=2 * found.std())
    assert answers == pytest.approx(_predicted(tmp_path / "run", toy, "moved-dev.csv"), rel=1e-5)


def _predicted(run, toy, file):
    model = MultitaskModel.from_pretrained(run)
    with (toy.folder / file).open(newline="") as stream:
        pairs = [(row["sentence1"], row["sentence2"]) for row in csv.DictReader(stream)]
    return [answer.value for answer in model.predict("sts", pairs)]


@pytest.mark.parametrize("average", [None, 0.9])
def test_the_best_weights_are_saved_with_their_own_scale(toy, tmp_path, monkeypatch, average):
    """The best evaluation is the first, and the scale goes on moving after it."""
    monkeypatch.setattr(Selection, "_beats", lambda self, value, best: best is None)
    training = {"epochs": 3, "average": average}
    toy.train(tmp_path / "run", tasks=tasks(), training=training)
    state = json.loads(max(tmp_path.glob("run/checkpoints/step-*/state.json")).read_text())
    assert state["best_epoch"] == 1
    assert state["best_target_scales"] != state["target_scales"]
    network, _ = load_network(tmp_path / "run" / "model")
    scale = network.heads["sts"].scale
    assert scale == RunningScale(*state["best_target_scales"]["sts"]).scale
    lines = (tmp_path / "run" / "predictions" / "sts-dev.jsonl").read_text().splitlines()
    told = [json.loads(line)["prediction"] for line in lines]
    assert _predicted(tmp_path / "run", toy, "sts-dev.csv") == pytest.approx(told, rel=1e-5)


def test_a_model_folder_says_so(toy, tmp_path):
    toy.train(tmp_path / "run", tasks=tasks(), training={"epochs": 1})
    meta = json.loads((tmp_path / "run" / "model" / "mtbert.json").read_text())
    assert meta["format"] == 3
    assert meta["tasks"]["sts"]["target"] == "popart"
