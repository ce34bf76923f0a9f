"""Studies that stop, fail and go on: which runs are started, and what is left of them."""

import fcntl
import json
import os
import signal
import subprocess
from collections import Counter

import pytest
from support.studies import made_up, overrides

from mtbert.commands.experiment import plan_table
from mtbert.errors import TrainingError, UserError
from mtbert.studies import runner
from mtbert.studies.folder import PLANNED, RunStatus, Study, read_places, run_state
from mtbert.studies.grid import cells, load_grid
from mtbert.studies.results import export as export_results
from mtbert.studies.results import load_results


@pytest.fixture(scope="module")
def four(course):
    """Four runs: Method 2 and 3 in both forms."""
    return cells(load_grid("batching"), overrides(course, "seed=1"))


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.001)


class Launches:
    """In the place of `launch_train`: counts, and does for a run's label what it is told to."""

    def __init__(self, **special):
        self.names, self.special, self.environments = [], special, []

    def __call__(self, path, environment):
        label = path.name.rpartition("-s1-")[0]
        self.names.append(label)
        self.environments.append(environment)
        return self.special.get(label.replace("-", "_"), made_up)(path, environment)


def shell(line):
    return lambda path, environment: subprocess.Popen(["sh", "-c", line], cwd=path)


def states(study, found):
    return [run_state(Study(study).path(cell.run)).status for cell in found]


def test_every_run_is_made_once_and_finished_ones_are_skipped(study, paper_cells):
    runs = {place.run for place in read_places(study)}
    assert len(read_places(study)) == 84
    assert len(runs) == 64
    assert {p.name for p in (study / "runs").iterdir()} == runs
    again = Launches()
    runner.run_cells(paper_cells, study, launch=again)
    assert again.names == []


def test_exported_results_are_written_at_once_and_not_run_again_elsewhere(four, tmp_path):
    here, there, export = tmp_path / "here", tmp_path / "there", tmp_path / "export"
    fails = Launches(ours_method3=shell("exit 1"))
    with pytest.raises(TrainingError, match="1 of 4 runs failed"):
        runner.run_cells(four, here, launch=fails, export=export)
    kept = {p.stem for p in (export / "runs").glob("*-s1-*.json")}
    assert len(kept) == 3
    assert "finished" in plan_table(four, there, export)
    again = Launches()
    runner.run_cells(four, there, launch=again, export=export)  # another machine: no run folders
    assert again.names == ["ours-method3"]
    results = load_results(export)
    assert not results.missing
    assert set(results.records) == {place.run for place in read_places(there)}


def test_results_without_the_data_sets_labels_are_finished_and_say_what_lacks(four, tmp_path):
    export = tmp_path / "export"
    runner.run_cells(four, tmp_path / "here", launch=Launches(), export=export)
    for labels in (export / "runs").glob("labels-*.json"):
        labels.unlink()
    again = Launches()
    runner.run_cells(four, tmp_path / "there", launch=again, export=export)
    assert again.names == []
    with pytest.raises(UserError, match="labels of the dev set"):
        load_results(export)
    runner.run_cells(four[:1], tmp_path / "anew", launch=Launches())
    export_results(tmp_path / "anew", tmp_path / "fresh")
    for labels in (tmp_path / "fresh" / "runs").glob("labels-*.json"):
        labels.rename(export / "runs" / labels.name)
    assert not load_results(export).missing


def test_a_failed_run_stops_no_other_and_is_tried_again(four, tmp_path):
    fails = Launches(paper_method2=shell("echo 'mtbert: no memory left' >> log.txt; exit 1"))
    with pytest.raises(TrainingError, match=r"1 of 4 runs failed.*\n.*no memory left"):
        runner.run_cells(four, tmp_path, launch=fails)
    assert states(tmp_path, four) == [RunStatus.FAILED, *[RunStatus.FINISHED] * 3]
    path = Study(tmp_path).path(four[0].run)
    (path / "checkpoints").mkdir()
    again = Launches(
        paper_method2=lambda p, e: (p / "checkpoints").rmdir() or made_up(p, e)  # still there
    )
    runner.run_cells(four, tmp_path, launch=again)
    assert again.names == ["paper-method2"]
    assert states(tmp_path, four) == [RunStatus.FINISHED] * 4


def test_a_run_whose_folder_cannot_be_used_is_made_anew(four, tmp_path):
    refused = Launches(
        paper_method2=shell("echo old > old; echo 'mtbert: damaged' > log.txt; exit 2")
    )
    with pytest.raises(TrainingError, match="damaged"):
        runner.run_cells(four, tmp_path, launch=refused)
    path = Study(tmp_path).path(four[0].run)
    assert run_state(path).status is RunStatus.BROKEN
    runner.run_cells(four, tmp_path, launch=Launches())
    assert states(tmp_path, four) == [RunStatus.FINISHED] * 4
    assert not (path / "old").exists()


@pytest.mark.parametrize("damage", ["predictions", "summary"])
def test_a_damaged_finished_run_is_listed_and_made_anew(four, tmp_path, damage, caplog):
    runner.run_cells(four, tmp_path, launch=Launches())
    path = Study(tmp_path).path(four[1].run)
    if damage == "summary":
        (path / "summary.json").write_text("{")
    else:
        (path / "predictions" / "sts-dev.jsonl").unlink()
    assert run_state(path).status is RunStatus.BROKEN
    again = Launches()
    runner.run_cells(four, tmp_path, launch=again)
    assert again.names == ["paper-method3"]
    assert f"{path.name}: broken" in caplog.text
    assert run_state(path).status is RunStatus.FINISHED


def test_an_interrupted_run_goes_on_where_it_stopped(four, tmp_path, caplog):
    path = Study(tmp_path).prepare(four[0].run)
    (path / "config.yaml").write_bytes((path / PLANNED).read_bytes())
    (path / "metrics.jsonl").write_text('{"kind": "train", "step": 2}\n{"kind": "tr')
    assert run_state(path).status is RunStatus.INTERRUPTED
    seen = []

    def launch(folder, environment):
        seen.append((folder / "metrics.jsonl").exists())
        return made_up(folder, environment)

    (path / "checkpoints" / "step-00000001").mkdir(parents=True)
    with caplog.at_level("INFO"):
        runner.run_cells(four[:1], tmp_path, launch=launch)
    assert seen == [True]
    assert f"{path.name}: started, from step 1 on" in caplog.text  # what was logged since is lost


def test_a_signal_is_passed_on_and_nothing_new_is_started(four, tmp_path, caplog):
    save = "mkdir -p checkpoints/step-00000007; echo stopped > told"
    wait = f"trap '{save}; exit 130' TERM; echo $$ > up; while :; do sleep 0.02; done"

    def launch(path, environment):
        process = shell(wait)(path, environment)
        while not (path / "up").exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        return process

    goes_on = pytest.raises(KeyboardInterrupt, match="the same command goes on")
    with caplog.at_level("INFO"), goes_on:
        runner.run_cells(four, tmp_path, launch=launch)
    assert "stopped; it goes on from step 7" in caplog.text
    (path,) = (tmp_path / "runs").iterdir()
    assert (path / "told").read_text() == "stopped\n"
    assert not (path / "failed.json").exists()
    again = Launches()
    runner.run_cells(four, tmp_path, launch=again)
    assert len(again.names) == 4


def test_a_second_process_is_refused(four, tmp_path):
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is working on this study"):
            runner.run_cells(four, tmp_path, launch=Launches())
    assert not (tmp_path / "study.json").exists()


def test_a_run_that_another_process_has_is_left_to_it(four, tmp_path):
    path = Study(tmp_path).prepare(four[0].run)
    with (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        launches = Launches()
        with pytest.raises(TrainingError, match="another process is working on this run"):
            runner.run_cells(four, tmp_path, launch=launches)
    assert "paper-method2" not in launches.names
    assert len(launches.names) == 3


def test_workers_share_the_threads(four, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    launches = Launches()
    runner.run_cells(four, tmp_path, workers=2, launch=launches)
    assert {e["OMP_NUM_THREADS"] for e in launches.environments} == {"3"}


def test_a_later_grid_adds_to_a_study_and_uses_its_runs(four, tmp_path, course):
    runner.run_cells(four, tmp_path, launch=Launches())
    more = cells(load_grid("task-count"), overrides(course, "seed=1"))
    launches = Launches()
    runner.run_cells(more, tmp_path, launch=launches)
    assert (
        len(launches.names) == 12
    )  # 14 places, of which all three together is there in both forms
    assert Counter(p.experiment for p in read_places(tmp_path)) == {"batching": 4, "task-count": 14}


@pytest.mark.parametrize("from_step", [0, 1])
def test_the_time_left_is_told_from_the_speed_of_this_command(
    four, tmp_path, monkeypatch, from_step
):
    """What was finished before, by a machine that may have been busy, is no measure any more."""
    runner.run_cells(four[:1], tmp_path, launch=Launches())
    told = []

    class Board:
        def say(self, line):
            told.append(line)

        def show(self, head, seconds_left, lines):
            told.append((head, seconds_left, lines[0].seconds))
            raise KeyboardInterrupt

        def close(self):
            pass

    def half_done(path, environment):
        process = shell("exec sleep 60")(path, environment)
        (path / "metrics.jsonl").write_text(f'{{"step": {steps // 2}}}\n')
        return process

    def age(process):
        process.started -= 100

    steps = four[1].run.steps
    if from_step:
        path = Study(tmp_path).prepare(four[1].run)
        (path / "config.yaml").write_bytes((path / PLANNED).read_bytes())
        (path / "checkpoints" / f"step-{from_step:08d}").mkdir(parents=True)
    monkeypatch.setattr(runner, "StudyBoard", Board)
    monkeypatch.setattr(runner._Pool, "collect", lambda pool: age(*pool.active))
    with pytest.raises(KeyboardInterrupt):
        runner.run_cells(four, tmp_path, launch=half_done)
    head, seconds_left, seconds = told[-1]
    assert head == "1 of 4 finished, 0 failed, 2 waiting"
    assert 100 <= seconds < 160
    works = [cell.run.work for cell in four]
    done = works[1] * (steps // 2 - from_step) / steps
    left = works[1] * (1 - (steps // 2) / steps) + works[2] + works[3]
    assert seconds_left == pytest.approx(seconds * left / done, rel=1e-3)


def test_why_a_run_failed_is_kept(four, tmp_path):
    fails = Launches(paper_method2=shell("echo one >> log.txt; echo two >> log.txt; exit 1"))
    with pytest.raises(TrainingError, match="two"):
        runner.run_cells(four[:1], tmp_path, launch=fails)
    path = Study(tmp_path).path(four[0].run)
    assert json.loads((path / "failed.json").read_text()) == {"code": 1, "reason": "two"}
    assert run_state(path).reason == "two"
