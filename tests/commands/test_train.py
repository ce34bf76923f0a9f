"""`mtbert train`: what it prints, what it writes, and how it is stopped and resumed."""

import json
import signal
import subprocess
import sys
import time

import pytest
from support.toy import command_line, records


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
    assert err.endswith("mtbert: run: stopped; go on with --resume\n")
    assert "Traceback" not in err
    stopped = len(records(tmp_path / "run", "train"))
    assert 0 < stopped < 800
    code, *_ = call("train", config, "--output", "run", "--resume")
    assert code == 0
    assert [r["step"] for r in records(tmp_path / "run", "train")] == list(range(1, 801))
