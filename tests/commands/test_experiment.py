"""`mtbert experiment`: planned, run, compared and reported, with real runs."""

import json
import signal
import subprocess

import pytest
from support.studies import overrides, write_finished
from support.toy import command_line

from mtbert.cli import main
from mtbert.commands.experiment import plan_table
from mtbert.runs.folder import read_summary
from mtbert.studies.folder import Study
from mtbert.studies.grid import cells, load_grid


@pytest.fixture(autouse=True)
def clean(tmp_path):
    with command_line(tmp_path):
        yield


@pytest.fixture
def grid(toy, tmp_path):
    toy.config(tmp_path / "base.yaml", "sst", training={"epochs": 1})
    (tmp_path / "small.yaml").write_text(
        "title: Small\nbase: base.yaml\nvariations: {one: {set: {training.batch_size: 8}}}\n"
    )
    return tmp_path / "small.yaml"


def test_a_study_is_planned_run_compared_and_reported(grid, tmp_path, capsys):
    assert main(["experiment", str(grid), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "base-one" in out
    assert "1 runs for 1 places" in out
    assert not (tmp_path / "runs").exists()
    assert main(["experiment", str(grid), "--output", "study", "seed=7"]) == 0
    assert capsys.readouterr().out == "study: study\n"
    (path,) = (tmp_path / "study" / "runs").iterdir()
    summary = read_summary(path)
    assert (summary["seed"], summary["steps"]) == (7, 2)
    assert not (path / "checkpoints").exists()
    assert (path / "model").is_dir()
    assert main(["experiment", str(grid), "--output", "study", "seed=7"]) == 0
    assert read_summary(path) == summary
    assert main(["compare", str(path)]) == 0
    assert f"{summary['dev']['sst']['accuracy']:.4f}" in capsys.readouterr().out
    assert main(["report", "study", "--export", "docs"]) == 0
    text = (tmp_path / "docs" / "README.md").read_text("utf-8")
    assert "## Small" in text
    assert str(tmp_path) not in text
    assert str(tmp_path) not in (tmp_path / "docs" / "runs" / f"{path.name}.json").read_text()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(grid, tmp_path, capsys, monkeypatch):
    def popen(words, **rest):
        signal.raise_signal(signal.SIGINT)
        return real(["sh", "-c", "exit 130"], **rest)

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", popen)
    assert main(["--quiet", "experiment", str(grid), "--output", "study"]) == 130
    assert "study: stopped; the same command goes on" in capsys.readouterr().err
    assert json.loads((tmp_path / "study" / "study.json").read_text())["format"] == 1


def test_failed_runs_end_with_1_and_are_listed(grid, capsys, monkeypatch):
    real = subprocess.Popen
    line = "echo 'mtbert: the disk is full'; exit 1"
    monkeypatch.setattr(subprocess, "Popen", lambda words, **rest: real(["sh", "-c", line], **rest))
    assert main(["--quiet", "experiment", str(grid), "--output", "study"]) == 1
    err = capsys.readouterr().err
    assert "1 of 1 runs failed; the same command tries them again" in err
    assert ": the disk is full" in err


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("did you mean 'batching'?", ["experiment", "batchin"]),
        ("override 'seed': expected KEY=VALUE", ["experiment", "small.yaml", "seed"]),
        ("did you mean 'epochs'?", ["experiment", "small.yaml", "training.epoch=1"]),
        ("not a finished run", ["compare", "."]),
        ("a run is named twice", ["compare", ".", "."]),
        ("no finished run below it", ["report", "."]),
        ("no study.json in it", ["report", ".", "--export", "out"]),
    ],
)
def test_bad_input_is_one_message(grid, refuse, told, words):
    refuse(told, *words)


def test_a_damaged_study_is_one_message(tmp_path, refuse):
    (tmp_path / "study.json").write_text("{")
    refuse("study.json: damaged", "report", ".")


@pytest.fixture(scope="module")
def four(course):
    """Four runs: Method 2 and 3 in both forms."""
    return cells(load_grid("batching"), overrides(course, "seed=1"))


def test_the_plan_tells_states_and_shares_of_the_work(four, tmp_path):
    path = Study(tmp_path).prepare(four[0].run)
    write_finished(path)
    lines = plan_table(four, tmp_path).splitlines()
    assert [line.split()[-1] for line in lines[2:6]] == ["finished", *["waiting"] * 3]
    shares = [float(line.split()[-2].rstrip("%")) for line in lines[2:6]]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert lines[-1].startswith("4 runs for 4 places in tables")
