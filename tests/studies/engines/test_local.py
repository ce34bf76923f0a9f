"""Runs as processes of this machine: which command is started, and with how many threads."""

import subprocess
import sys

import pytest

from mtbert.studies.engines.local import launch_train, open_local, threads_each
from mtbert.studies.folder import PLANNED


@pytest.mark.parametrize("begun", [False, True])
def test_a_begun_run_goes_on_with_its_own_configuration(tmp_path, monkeypatch, begun):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **rest: started.append((words, rest)))
    (tmp_path / PLANNED).write_text("")
    if begun:
        (tmp_path / "config.yaml").write_text("")
    launch_train(tmp_path, {"A": "b"})
    ((words, rest),) = started
    config = tmp_path / ("config.yaml" if begun else PLANNED)
    output = ["--output", str(tmp_path), "--resume"]
    assert words == [sys.executable, "-m", "mtbert", "train", str(config), *output]
    assert rest["env"] == {"A": "b"}
    assert not rest.get("shell")


def test_runs_at_once_share_the_threads_and_each_has_one(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert [threads_each(workers) for workers in (1, 2, 4, 100)] == [6, 3, 1, 1]
    with open_local(3) as engine:
        assert (engine.launch, engine.threads) == (launch_train, 2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads_each(10**6) == 1
