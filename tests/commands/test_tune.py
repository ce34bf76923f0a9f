"""`mtbert tune`: a search from the command line, with real runs."""

import csv
import json

import pytest
from support.toy import assert_refused, command_line

from mtbert.cli import main
from mtbert.config.load import load_config
from mtbert.runs.folder import read_summary
from mtbert.studies.engines import local


@pytest.fixture(autouse=True)
def clean(tmp_path):
    with command_line(tmp_path):
        yield


@pytest.fixture
def config(toy, tmp_path):
    return toy.config(tmp_path / "base.yaml", "sst", training={"select": "sst.accuracy"})


class Trained:
    """The job of a run that was trained in this process."""

    def __init__(self, toy, path):
        from mtbert.training.run import train

        train(load_config(str(path / "planned.yaml")), path, resume=True)

    def poll(self):
        return 0

    wait = poll

    def send_signal(self, sig):
        raise AssertionError


@pytest.fixture
def in_this_process(toy, monkeypatch):
    started = []

    def launch(path, environment):
        started.append(path.name)
        return Trained(toy, path)

    monkeypatch.setattr(local, "launch_train", launch)
    return started


RATES, DECAYS = (1e-5, 1e-3, 3e-2), (0.0, 0.5)


def test_a_grid_finds_the_best_of_an_enumeration_and_its_file_trains(
    toy, config, tmp_path, capsys, in_this_process
):
    """The same six runs by hand: the best score, the first of equal ones."""
    scores = {
        (rate, epochs): toy.train(
            tmp_path / f"by-hand-{rate}-{epochs}", "sst",
            training={"select": "sst.accuracy", "learning_rate": rate, "epochs": epochs},
        )["dev"]["sst"]["accuracy"]
        for rate in RATES
        for epochs in (1, 3)
    }  # fmt: skip
    assert len(set(scores.values())) > 1
    space = ["--search", f"training.learning_rate={','.join(map(str, RATES))}"]
    space += ["--search", "training.epochs=1,3", "--sampler", "grid", "--output", "found"]
    assert main(["--quiet", "tune", str(config), *space]) == 0
    best = max(scores, key=scores.get)
    out = capsys.readouterr().out
    assert f"sst.accuracy {scores[best]:.4f}; 6 trials: 6 finished" in out
    assert f"  training.learning_rate = {best[0]}\n  training.epochs = {best[1]}\n" in out
    settings = load_config("found/best.yaml")
    assert (settings.training.learning_rate, settings.training.epochs) == best
    rows = list(csv.DictReader((tmp_path / "found" / "trials.csv").read_text().splitlines()))
    assert [float(row["score"]) for row in rows] == [*scores.values()]
    html = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert "history: sst.accuracy" in html
    assert {p.name for p in (tmp_path / "found").glob("*.svg")} == {"history.svg", "importance.svg"}
    again = main(["--quiet", "train", "found/best.yaml", "--output", "again"])
    assert again == 0
    assert read_summary(tmp_path / "again")["dev"]["sst"]["accuracy"] == scores[best]
    assert len(in_this_process) == 6
    capsys.readouterr()
    assert main(["--quiet", "tune", str(config), *space]) == 0
    assert len(in_this_process) == 6
    assert capsys.readouterr().out == out
    before = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert main(["report", "found"]) == 0
    assert (tmp_path / "found" / "report.html").read_text("utf-8") == before


def test_a_trial_is_a_real_run_in_a_process_of_its_own(config, tmp_path, capsys):
    words = ["--search", "training.epochs=1,2", "--trials", "1", "--output", "found", "seed=7"]
    assert main(["--quiet", "tune", str(config), *words]) == 0
    (path,) = (tmp_path / "found" / "runs").iterdir()
    assert read_summary(path)["seed"] == 7
    assert f"its model: found/runs/{path.name}/model" in capsys.readouterr().out
    assert (path / "model" / "model.safetensors").is_file()
    assert json.loads((tmp_path / "found" / "search.json").read_text())["sampler"] == "tpe"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("nothing to search", []),
        ("did you mean 'epochs'?", ["--search", "training.epoch=1,2"]),
        ("the logarithm needs numbers above 0", ["--search", "training.clip=0..1:log"]),
        ("training.epochs: ", ["--search", "training.epochs=0..4"]),
        ("a grid needs values", ["--search", "training.clip=1..2.5", "--sampler", "grid"]),
        ("did you mean 'training'?", ["--search", "training.epochs=1,2", "trainin.clip=1"]),
        ("no trial of this search has begun", None),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(config, tmp_path, capsys, told, words):
    if words is None:
        (tmp_path / "found").mkdir()
        (tmp_path / "found" / "search.json").write_text('{"format": 1, "score": "sum"}')
        assert_refused(capsys, tmp_path, told, "report", "found")
    else:
        assert_refused(capsys, tmp_path, told, "tune", config, *words, "--output", "found")
