"""Searches that stop, fail, prune and go on: which trials are run, and what is left of them."""

import fcntl
import itertools
import json
import signal
import subprocess
import sys
import threading

import pytest
from support.searches import (
    KILLED_TRIALS,
    Killed,
    Launches,
    run_search,
    search_of,
    write_trial,
)

from mtbert.errors import TrainingError, UserError
from mtbert.studies.search import tuner
from mtbert.studies.search.trials import Outcome, best_trial

RATES, DECAYS = ("1e-4", "5e-4", "1e-3", "4e-3"), ("0.0", "0.1")
GRID = (f"training.learning_rate={','.join(RATES)}", f"training.weight_decay={','.join(DECAYS)}")
WIDE = ("training.learning_rate=1e-5..1e-2:log", "training.weight_decay=0..0.5")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(tuner, "_POLL_SECONDS", 0.001)


@pytest.fixture(scope="module")
def config(toy, tmp_path_factory):
    file = tmp_path_factory.mktemp("search") / "base.yaml"
    return toy.config(file, "sst", training={"epochs": 4, "select": "sst.accuracy"})


def shell(line, epochs=None):
    """A run that logs so many epochs, then does what the line says."""

    def start(path):
        if epochs:
            write_trial(path, epochs)
        return subprocess.Popen(["sh", "-c", line], cwd=path)

    return start


def plain(trials):
    return [(t.number, t.outcome, dict(t.values), t.score, dict(t.epochs)) for t in trials]


def test_a_grid_has_every_combination_once_and_the_best_of_an_enumeration(config, tmp_path):
    launches = Launches()
    found = run_search(search_of(config, *GRID), tmp_path, launch=launches)
    wanted = [(float(r), float(d)) for r, d in itertools.product(RATES, DECAYS)]
    assert [(t.values["training.learning_rate"], t.values["training.weight_decay"])
            for t in found] == wanted  # fmt: skip
    assert len(launches.names) == len(set(launches.names)) == 8
    scores = {pair: 1 / (1 + abs(pair[0] - 1e-3) * 1000) - pair[1] for pair in wanted}
    assert [t.score for t in found] == pytest.approx([scores[pair] for pair in wanted])
    best = best_trial(found, lower_is_better=False)
    assert (best.number, best.score) == (wanted.index(max(scores, key=scores.get)), 1.0)
    assert {t.outcome for t in found} == {Outcome.FINISHED}


def test_models_stay_of_the_best_trial_alone_and_no_checkpoints(config, tmp_path):
    found = run_search(search_of(config, *GRID), tmp_path)
    best = best_trial(found, lower_is_better=False)
    runs = tmp_path / "runs"
    assert [p.parent.name for p in runs.glob("*/model")] == [best.run]
    assert not [*runs.glob("*/checkpoints")]
    assert len([*runs.glob("*/summary.json")]) == 8


def test_trials_that_are_done_are_not_run_again_and_more_go_on(config, tmp_path):
    search = search_of(config, *GRID)
    first = run_search(search, tmp_path, trials=3)
    assert [t.number for t in first] == [0, 1, 2]
    launches = Launches()
    assert plain(run_search(search, tmp_path, trials=3, launch=launches)) == plain(first)
    assert launches.names == []
    whole = run_search(search, tmp_path, launch=launches)
    assert plain(whole)[:3] == plain(first)
    assert len(launches.names) == 5


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_of_one_worker_repeats_and_goes_on_as_if_it_had_not_stopped(
    config, tmp_path, sampler
):
    search = search_of(config, *WIDE, sampler=sampler)
    whole = run_search(search, tmp_path / "a", trials=14)
    for trials in (4, 11, 12, 14):  # of TPE the first ten are random
        parts = run_search(search, tmp_path / "b", trials=trials)
    assert plain(parts) == plain(whole)
    assert len({t.score for t in whole}) == 14
    other = search_of(config, *WIDE, sampler=sampler, overrides=["seed=2"])
    assert plain(run_search(other, tmp_path / "c", trials=2)) != plain(whole)[:2]


def test_several_workers_run_each_trial_once(config, tmp_path):
    launches = Launches()
    found = run_search(search_of(config, *GRID), tmp_path, workers=3, launch=launches)
    alone = run_search(search_of(config, *GRID), tmp_path / "alone")
    assert plain(found) == plain(alone)
    assert len(launches.names) == len(set(launches.names)) == 8


def test_equal_trials_share_one_run(config, tmp_path):
    launches = Launches()
    two = "training.weight_decay=0.0,0.1"
    search = search_of(config, two, sampler="random")
    found = run_search(search, tmp_path, trials=9, workers=2, launch=launches)
    assert len(found) == 9
    assert len(launches.names) == 2
    by_value = {t.values["training.weight_decay"]: t.score for t in found}
    assert all(t.score == by_value[t.values["training.weight_decay"]] for t in found)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("echo 'mtbert: out of memory' > log.txt; exit 1", "out of memory"),
        ("echo 'mtbert: the disk is full' > log.txt; exit 2", "the disk is full"),
        ("kill -9 $$", "ended by signal 9"),
    ],
)
def test_a_trial_that_fails_ends_no_search(config, tmp_path, line, reason):
    launches = Launches({1: shell(line)})
    found = run_search(search_of(config, *GRID), tmp_path, launch=launches)
    assert [t.number for t in found if t.outcome is Outcome.FAILED] == [1]
    assert (found[1].score, found[1].reason) == (None, reason)
    told = json.loads((tmp_path / "runs" / found[1].run / "failed.json").read_text())
    assert told["reason"] == reason
    assert len([t for t in found if t.outcome is Outcome.FINISHED]) == 7


def test_values_that_are_refused_together_are_a_failed_trial(config, tmp_path):
    search = search_of(config, "training.compile=none,reduce-overhead", "training.accumulate=1,2")
    found = run_search(search, tmp_path)
    assert [t.outcome for t in found] == ["finished", "finished", "finished", "failed"]
    assert "training.compile: `reduce-overhead` needs" in found[3].reason
    assert found[3].run == ""


def test_a_search_without_any_score_says_why(config, tmp_path):
    fails = dict.fromkeys(range(8), shell("echo 'mtbert: no memory left' > log.txt; exit 1"))
    with pytest.raises(TrainingError, match=r"none of 8 trials has a score\n  no memory left"):
        run_search(search_of(config, *GRID), tmp_path, launch=Launches(fails))


def test_an_undefined_score_is_a_failed_trial(config, tmp_path):
    def undefined(path):
        write_trial(path)
        text = (path / "metrics.jsonl").read_text()
        lines = [json.loads(line) | {"score": None} for line in text.splitlines()]
        (path / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        return subprocess.Popen(["true"])

    found = run_search(search_of(config, *GRID), tmp_path, launch=Launches({0: undefined}))
    assert (found[0].outcome, found[0].reason) == (Outcome.FAILED, "its score is undefined")


def test_a_trial_behind_the_median_is_stopped_and_its_folder_says_why(config, tmp_path):
    """Five trials are finished first; the sixth has a worse score after two of four epochs."""
    rates = "training.learning_rate=1e-3,9e-4,1.1e-3,1.2e-3,8e-4,1e-2,1.05e-3"
    search = search_of(config, rates, pruning="median")
    wait = "trap 'echo told > told; exit 130' TERM; echo $$ > up; while :; do sleep 0.02; done"
    launches = Launches({5: shell(wait, epochs=2)})
    found = run_search(search, tmp_path, launch=launches)
    assert [t.number for t in found if t.outcome is Outcome.PRUNED] == [5]
    path = tmp_path / "runs" / found[5].run
    finished = sorted(t.epochs[1] for t in found[:5])
    reason = json.loads((path / "pruned.json").read_text())["reason"]
    assert reason == found[5].reason
    assert reason == (
        f"stopped after epoch 1: its score {found[5].epochs[1]:.4g} is behind {finished[2]:.4g}, "
        "the median of 5 finished trials there"
    )
    assert not (path / "summary.json").exists()
    assert found[6].outcome is Outcome.FINISHED


def test_what_is_pruned_depends_on_scores_and_not_on_speed(config, tmp_path):
    """A run that is done before it was looked at is judged as one that was stopped in time."""
    search = search_of(config, *WIDE, sampler="tpe", pruning="median")
    fast = run_search(search, tmp_path / "fast", trials=16)
    assert Outcome.PRUNED in {t.outcome for t in fast}
    wait = "trap 'exit 130' TERM; while :; do sleep 0.01; done"
    slow = {t.number: shell(wait, len(t.epochs)) for t in fast if t.outcome is Outcome.PRUNED}
    again = run_search(search, tmp_path / "slow", trials=16, launch=Launches(slow))
    assert plain(again) == plain(fast)


def test_a_signal_is_passed_on_and_the_same_command_takes_the_trials_up(config, tmp_path):
    search = search_of(config, *GRID)
    trap = "trap 'echo stopped > told; exit 130' TERM; echo $$ > up; while :; do sleep 0.02; done"

    def start(path):
        process = shell(trap, epochs=1)(path)
        while not (path / "up").exists():
            pass
        signal.raise_signal(signal.SIGINT)
        return process

    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        run_search(search, tmp_path, launch=Launches({2: start}))
    (told,) = tmp_path.glob("runs/*/told")
    launches = Launches()
    found = run_search(search, tmp_path, launch=launches)
    assert launches.names[0] == told.parent.name
    assert len(launches.names) == 6
    assert plain(found) == plain(run_search(search, tmp_path / "whole"))


def test_a_run_that_a_killed_search_left_at_work_is_waited_for(config, tmp_path):
    search = search_of(config, *GRID)

    class Killed(Exception):
        pass

    def die(path):
        write_trial(path, epochs=1)
        line = (
            "import fcntl, pathlib, sys, time; lock = open('.lock', 'w'); "
            "fcntl.flock(lock, fcntl.LOCK_EX); pathlib.Path('up').touch()\n"
            "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
            "pathlib.Path('summary.json').write_text(pathlib.Path('later').read_text())"
        )
        left.append(subprocess.Popen([sys.executable, "-c", line], cwd=path))
        while not (path / "up").exists():
            pass
        raise Killed

    left: list = []
    with pytest.raises(Killed):
        run_search(search, tmp_path, launch=Launches({1: die}))
    (path,) = tmp_path.glob("runs/t1-*")
    write_trial(path, config="config.yaml")
    (path / "summary.json").rename(path / "later")
    launches = Launches({2: lambda other: (path / "go").touch() or write_trial(other)
                         or subprocess.Popen(["true"])})  # fmt: skip
    found = run_search(search, tmp_path, workers=2, launch=launches)
    assert left[0].wait() == 0
    assert path.name not in launches.names
    assert plain(found) == plain(run_search(search, tmp_path / "whole"))


def test_a_run_that_another_process_took_first_is_waited_for(config, tmp_path):
    """A killed search had just started it; ours comes too late for its lock and is refused."""
    search = search_of(config, *GRID)
    locks = []

    def refused(path):
        if not locks:
            locks.append((path / ".lock").open("w"))
            fcntl.flock(locks[0], fcntl.LOCK_EX)
            timer = threading.Timer(0.2, lambda: (write_trial(path), locks[0].close()))
            timer.start()
        return subprocess.Popen(["sh", "-c", "exit 2"])

    found = run_search(search, tmp_path, launch=Launches({1: refused}))
    assert plain(found) == plain(run_search(search, tmp_path / "whole"))


def test_another_search_in_the_folder_is_refused(config, tmp_path):
    run_search(search_of(config, *GRID), tmp_path, trials=1)
    for other, what in (
        (search_of(config, GRID[0]), "--search"),
        (search_of(config, *GRID, sampler="random"), "--sampler"),
        (search_of(config, *GRID, pruning="median"), "--pruning"),
        (search_of(config, *GRID, overrides=["training.select=sum"]), "training.select"),
        (search_of(config, *GRID, overrides=["training.clip=2"]), "the configuration or its data"),
    ):
        with pytest.raises(UserError, match=f"holds a search that differs in .*{what}"):
            run_search(other, tmp_path)


def test_two_searches_at_once_in_a_folder_are_refused(config, tmp_path):
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is working on this study"):
            run_search(search_of(config, *GRID), tmp_path)


def test_a_search_killed_at_a_write_goes_on_with_the_same_trials(config, tmp_path):
    """Each kill at another write of the search or of a run, in processes of their own."""
    check_kills(config, tmp_path, range(3, 10**6, 29))


@pytest.mark.long
def test_a_search_killed_at_every_single_write_goes_on_with_the_same_trials(config, tmp_path):
    check_kills(config, tmp_path, range(10**6))


def check_kills(config, tmp_path, points):
    whole = Killed(config, tmp_path / "whole", at=None)
    assert whole.code == 0
    assert len(whole.trials) == KILLED_TRIALS
    for at in itertools.takewhile(lambda at: at < whole.events, points):
        folder = tmp_path / f"at-{at}"
        assert Killed(config, folder, at=at).code == -signal.SIGKILL
        again = Killed(config, folder, at=None)
        assert (again.code, again.trials) == (0, whole.trials), at
        names = [path.name.split("-")[0] for path in (folder / "runs").iterdir()]
        assert len(names) == len(set(names)) == KILLED_TRIALS
