"""`mtbert train`: what it prints, what it writes, and how it is stopped and resumed."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.toy import assert_refused, command_line, model_bytes, records

from mtbert.training import run
from mtbert.training.trainer import Trainer


@pytest.fixture(autouse=True)
def clean(tmp_path):
    with command_line(tmp_path):
        yield


def summary_of(run):
    return json.loads((run / "summary.json").read_text("utf-8"))


def test_train_prints_the_scores_and_tells_its_progress_apart(toy, tmp_path, call):
    config = toy.config(tmp_path / "my-run.yaml", "sst")
    code, out, err = call("train", config, "training.epochs=1", "seed=5")
    assert code == 0
    assert [line.split() for line in out.splitlines()][2][:2] == ["sst", "accuracy"]
    assert out.endswith("run folder: runs/my-run\n")
    assert "epoch 1, step 4: sst accuracy" in err
    assert "epoch 1, step" not in out
    assert "1 epoch of 4 steps" in err
    summary = summary_of(tmp_path / "runs" / "my-run")
    assert (summary["seed"], summary["epochs"]) == (5, 1)


def test_overrides_may_stand_before_and_after_options(toy, tmp_path, call):
    config = toy.config(tmp_path / "c.yaml", "sst")
    code, *_ = call("train", config, "seed=5", "--output", "out", "training.epochs=1")
    assert code == 0
    summary = summary_of(tmp_path / "out")
    assert (summary["seed"], summary["epochs"]) == (5, 1)


def test_a_dry_run_prints_the_plan_and_writes_nothing(toy, tmp_path, call):
    config = toy.config(tmp_path / "c.yaml")
    code, out, _ = call("train", config, "--dry-run")
    assert code == 0
    assert "2 epochs of 3 steps (method3, surgery none)" in out
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_a_run_is_taken_up_only_when_asked(toy, tmp_path, call):
    config = toy.config(tmp_path / "c.yaml", "sst", training={"epochs": 1})
    code, first, _ = call("train", config, "--resume")
    assert code == 0
    code, out, err = call("train", config)
    assert (code, out) == (2, "")
    assert err == (
        "mtbert: runs/c: holds a run already; go on with it by --resume, or choose another "
        "--output\n"
    )
    code, again, err = call("train", config, "--resume")
    assert (code, again) == (0, first)
    assert "this run is finished" in err


@pytest.mark.parametrize("heard", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_being_stopped_leaves_a_run_that_can_be_resumed(toy, tmp_path, call, heard):
    training = {"epochs": 200, "checkpoint_every": 1000, "evaluate_every": 1000}
    config = toy.config(tmp_path / "c.yaml", "sst", training=training)
    command = [sys.executable, "-m", "mtbert", "train", str(config), "--output", "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        metrics = tmp_path / "run" / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.01)
        for number in heard:
            process.send_signal(number)
            time.sleep(0.001)  # so that it is heard by itself
        _, err = process.communicate()
    assert process.returncode == 130, err
    message, told = err.splitlines()[-2:]
    assert message == "mtbert: run: stopped; go on with:"
    python, *rest = shlex.split(told)
    assert rest == ["-m", "mtbert", "train", "--resume", "run"]
    assert "Traceback" not in err
    stopped = len(records(tmp_path / "run", "train"))
    assert 0 < stopped < 800
    assert subprocess.run([python, *rest], capture_output=True, check=False).returncode == 0
    assert [r["step"] for r in records(tmp_path / "run", "train")] == list(range(1, 801))


def test_a_run_goes_on_from_its_folder_alone_wherever_it_lies(toy, tmp_path, call, monkeypatch):
    """The configuration is gone, the folder has moved, the working folder is another."""
    toy.train(tmp_path / "whole", "sst")
    config = toy.config(tmp_path / "c.yaml", "sst")
    stop_at(monkeypatch, step=3)
    code, _, err = call("train", config, "--output", "a run")
    assert code == 130
    assert err.endswith("train --resume 'a run'\n")
    monkeypatch.undo()
    config.unlink()
    (tmp_path / "else where").mkdir()
    shutil.move(tmp_path / "a run", tmp_path / "else where" / "moved")
    monkeypatch.chdir(tmp_path / "else where")
    code, out, _ = call("train", "--resume", "moved", "training.memory_limit=100GB")
    assert code == 0
    assert out.endswith("run folder: moved\n")
    assert model_bytes(tmp_path / "else where" / "moved") == model_bytes(tmp_path / "whole")
    code, again, err = call("train", "--resume", "moved")
    assert (code, again) == (0, out)
    assert "this run is finished" in err


def stop_at(monkeypatch, step):
    """A signal that arrives in the middle of a step."""
    whole = Trainer._train_step

    def train_step(self, active, batch):
        whole(self, active, batch)
        if self.state.step == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_train_step", train_step)


def test_data_that_have_moved_are_named_and_may_be_given(toy, tmp_path, call, monkeypatch):
    shutil.copytree(toy.folder, tmp_path / "data")
    tree = toy.tree("sst") | {"data": {"dir": "data"}}
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    stop_at(monkeypatch, step=2)
    assert call("train", "c.yaml", "--output", "run")[0] == 130
    monkeypatch.undo()
    shutil.move(tmp_path / "data", tmp_path / "new data")
    code, _, err = call("train", "--resume", "run")
    assert code == 2
    assert "data/sst-train.csv: no such file" in err
    assert call("train", "--resume", "run", "data.dir=new data")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["c.yaml", "--output", "run", "--resume"],
        ["--output", "run", "c.yaml", "--resume", "seed=1"],
        ["--resume", "c.yaml", "--output", "run"],
        ["c.yaml", "--resume", "run"],
        ["seed=1", "--resume", "run"],
        ["--resume", "run", "seed=1"],
        ["--resume", "run", "--output", "run"],
    ],
)
def test_resume_may_stand_anywhere(toy, tmp_path, call, arguments):
    toy.config(tmp_path / "c.yaml", "sst", training={"epochs": 1})
    assert call("train", "c.yaml", "--output", "run")[0] == 0
    code, out, _ = call("train", *arguments)
    assert code == 0
    assert out.endswith("run folder: run\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.yaml", "run"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "train: no configuration; give a YAML file or one of "),
        (["--resume"], "or --resume RUN to go on with a run"),
        (["--resume", "."], "not a run folder, no config.yaml in it"),
        (["--resume", "nothing"], "neither a file nor a shipped name"),
        (["--epochs", "3", "demo"], "settings are written without dashes: training.epochs=3"),
        (["demo", "--lr=1e-4"], "settings are written without dashes: training.learning_rate=1e-4"),
        (["demo", "--outptu", "x"], "no option --outptu; did you mean --output?"),
        (["demo", "epochs=3"], "epochs: unknown key; did you mean 'training.epochs'?"),
        (["demo", "training.lr=3"], "did you mean 'training.learning_rate'?"),
        (["demo", "max_length=3"], "did you mean 'encoder.max_length'?"),
    ],
)
def test_what_is_missing_or_mistyped_is_told_with_what_is_meant(capsys, tmp_path, arguments, told):
    assert_refused(capsys, tmp_path, told, "train", *arguments)


def test_a_run_stopped_before_it_has_a_folder_is_begun_by_the_command(
    toy, tmp_path, call, monkeypatch
):
    def interrupted(*_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run, "prepare", interrupted)
    config = toy.config(tmp_path / "c d.yaml", "sst")
    code, _, err = call("train", config, "training.epochs=1", "--output", "o")
    assert code == 130
    told = shlex.split(err.splitlines()[-1])
    assert told[-6:] == [
        "train", str(config), "training.epochs=1", "--output", "o", "--resume"
    ]  # fmt: skip
    assert not (tmp_path / "o").exists()
