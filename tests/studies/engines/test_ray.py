"""Runs on a Ray instance that the test starts: trained, stopped, lost, and counted as elsewhere."""

import json
import os
import signal
import sys
import time

import pytest
from support.searches import search_of
from support.toy import results

from mtbert.config.load import load_config
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.studies.engines.local import launch_train
from mtbert.studies.engines.ray import open_ray
from mtbert.studies.folder import PLANNED
from mtbert.studies.grid import cells, load_grid
from mtbert.studies.jobs import with_threads
from mtbert.studies.runner import run_cells
from mtbert.studies.search.trials import Outcome
from mtbert.studies.search.tuner import tune

SECONDS = 120

starts_ray = pytest.mark.long
"""Half a minute where nothing else runs."""


@pytest.fixture(scope="module")
def engine():
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'mtbert[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as Ray will have it
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        with open_ray(2) as opened:
            yield opened
        assert ray.is_initialized()  # it was there before
        ray.shutdown()


def planned(toy, folder, **training):
    """The folder of a run that has not begun."""
    config = toy.config(folder.with_suffix(".json"), "sst", training=training)
    atomic.write_text(folder / PLANNED, dump_yaml(load_config(str(config))))
    return folder


def until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@starts_ray
def test_the_processors_are_shared_and_a_run_is_that_of_this_machine(engine, toy, tmp_path):
    assert engine.threads == 1
    there, here = planned(toy, tmp_path / "there"), planned(toy, tmp_path / "here")
    job = engine.launch(there, with_threads(1))
    local = launch_train(here, with_threads(1))
    assert (local.wait(), job.wait(), job.poll()) == (0, 0, 0)
    job.send_signal(signal.SIGTERM)  # it has ended: nothing happens
    assert results(there) == results(here)


@starts_ray
def test_a_signal_reaches_the_run_which_saves_and_can_go_on(engine, toy, tmp_path):
    path = planned(toy, tmp_path / "run", epochs=100000)
    job = engine.launch(path, with_threads(1))
    until(lambda: (path / "metrics.jsonl").exists() and (path / "metrics.jsonl").stat().st_size)
    assert job.poll() is None
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 130
    assert [*(path / "checkpoints").glob("step-*")]


@starts_ray
def test_a_run_whose_machine_is_lost_has_failed(engine, toy, tmp_path):
    import ray

    path = planned(toy, tmp_path / "run", epochs=100000)
    job = engine.launch(path, with_threads(1))
    until(lambda: (path / ".lock").exists())
    ray.kill(job._runner)
    until(lambda: job.poll() is not None)
    assert job.wait() == 1


@starts_ray
def test_a_grid_and_a_search_are_spread(engine, toy, tmp_path):
    config = toy.config(tmp_path / "base.yaml", "sst", training={"epochs": 1, "select": "sum"})
    (tmp_path / "grid.yaml").write_text("base: base.yaml\nseeds: [1, 2]\n")
    found = cells(load_grid(str(tmp_path / "grid.yaml")))
    run_cells(found, tmp_path / "study", 2, engine.launch, threads=engine.threads)
    seeds = [json.loads(p.read_text())["seed"] for p in tmp_path.glob("study/runs/*/summary.json")]
    assert sorted(seeds) == [1, 2]
    search = search_of(config, "training.batch_size=4,8")
    trials = tune(search, tmp_path / "search", 2, 2, engine)
    assert [trial.outcome for trial in trials] == [Outcome.FINISHED] * 2


def test_without_the_extra_it_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[ray\]'"), open_ray(1):
        pass
