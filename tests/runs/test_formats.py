"""Run folders of today's format stay readable; those of others are refused with both versions."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.toy import Toy, records

from mtbert.commands.evaluate import evaluate_run
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.runs.folder import read_run
from mtbert.runs.provenance import FORMAT
from mtbert.training import run
from mtbert.training.trainer import Trainer

FIXTURES = Path(__file__).parent.parent / "fixtures"
FORMATS = sorted(FIXTURES.glob("run-format-*"))
TRAINING = {"surgery": "pcgrad", "schedule": "linear", "non_finite": "halve"}
"""As in tests/fixtures/make_run.py."""


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def fixture(request, tmp_path):
    """A fixture in a folder of its own."""
    shutil.copytree(request.param, tmp_path / "fixture")
    for config in (tmp_path / "fixture").glob("*/config.yaml"):
        place = str(tmp_path / "fixture")
        config.write_text(config.read_text("utf-8").replace("@FIXTURE@", place), "utf-8")
    return tmp_path / "fixture"


def go_on(folder):
    toy = object.__new__(Toy)
    toy.folder, toy.encoder = folder, folder / "encoder"
    tasks = toy.tree("sst", "sts")["tasks"]
    tasks["sts"] |= {"pair_encoding": "jointly", "target": "raw"}
    settings = toy.settings(tasks=tasks, training=TRAINING, threads=1)
    return run.train(settings, folder / "stopped", resume=True)


def test_there_is_a_fixture_of_todays_format():
    assert FIXTURES / f"run-format-{FORMAT}" in FORMATS


def test_a_stopped_run_goes_on_where_it_stopped(fixture, monkeypatch):
    """With other versions of torch the last digits may differ, no more."""
    begun = []
    train_step = Trainer._train_step

    def noting(self, active, step):
        if not begun:
            learner = active.learner
            found = {n: p.detach().clone() for n, p in learner.parameters.items()}
            moments = {n: learner.optimizer.state[p] for n, p in learner.parameters.items()}
            begun.append((found, {n: dict(m) for n, m in moments.items() if m}))
        train_step(self, active, step)

    monkeypatch.setattr(Trainer, "_train_step", noting)
    (checkpoint,) = (fixture / "stopped" / "checkpoints").iterdir()
    saved = load_file(checkpoint / "weights.safetensors")
    summary = go_on(fixture)
    assert all(torch.equal(begun[0][0][name], saved[name]) for name in saved)
    assert {moment["step"] for moment in begun[0][1].values()} == {4}
    assert summary["steps"] == 6
    expected = json.loads((fixture / "losses.json").read_text("utf-8"))
    found = {str(r["step"]): r["loss"] for r in records(fixture / "stopped", "train")}
    assert found.keys() == expected.keys()
    for step, losses in expected.items():
        assert found[step] == pytest.approx(losses, rel=1e-3)


def test_a_finished_run_is_read(fixture):
    scores = evaluate_run(fixture / "finished", "dev")
    stored = json.loads((fixture / "finished" / "summary.json").read_text("utf-8"))
    for task, metrics in stored["dev"].items():
        found = {name: scores["dev"][task][name] for name in metrics}  # there are more today
        assert found == pytest.approx(metrics, abs=1e-3)
    model = MultitaskModel.from_pretrained(fixture / "finished")
    assert model.predict("sst", ["the good film"])[0].label in ("bad", "good")


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes))


@pytest.mark.parametrize("found", [0, 2, 99, "1", None])
def test_a_run_folder_of_another_format_is_refused_with_both_versions(fixture, found):
    told = f"run folder of format {found}, this mtbert reads {FORMAT}"
    for part in ("stopped", "finished"):
        edit(fixture / part / "run.json", format=found)
    with pytest.raises(UserError, match=told):
        go_on(fixture)
    with pytest.raises(UserError, match=told):
        read_run(fixture / "finished")


def test_another_format_is_told_before_keys_that_it_may_have_more(fixture):
    edit(fixture / "finished" / "run.json", format=2)
    with (fixture / "finished" / "config.yaml").open("a") as stream:
        stream.write("later: 1\n")
    with pytest.raises(UserError, match="run folder of format 2"):
        read_run(fixture / "finished")


def test_a_run_from_before_run_json_is_read_but_does_not_go_on(fixture):
    for part in ("stopped", "finished"):
        (fixture / part / "run.json").unlink()
    with pytest.raises(UserError, match=f"run folder of format 0, this mtbert reads {FORMAT}"):
        go_on(fixture)
    assert read_run(fixture / "finished")[1] == fixture / "finished" / "model"
