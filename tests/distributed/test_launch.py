import json
import logging
import os
import subprocess
import sys

import pytest

from mtbert.distributed.launch import join_processes
from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError


def test_torchrun_starts_them(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json", training={"surgery": "pcgrad"})
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
                "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr",
                "127.0.0.1"]  # fmt: skip
    run = subprocess.run(
        [*torchrun, "-m", "mtbert", "train", str(config), "--output", "run"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("run folder: run") == 1
    assert run.stderr.count("epoch 2, step 6") == 1
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["processes"] == 2


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORLD_SIZE", "two", "WORLD_SIZE: found 'two', expected a number"),
        ("RANK", "-1", "RANK: found '-1'"),
        ("RANK", "2", "RANK: found 2, expected less than WORLD_SIZE, which is 2"),
        ("MTBERT_STEP_TIMEOUT", "soon", "MTBERT_STEP_TIMEOUT: found 'soon'"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(monkeypatch, name, value, told):
    for key, good in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", name: value}.items():
        monkeypatch.setenv(key, good)
    with pytest.raises(UserError, match=told), join_processes():
        pass
    assert logging.root.manager.disable == logging.NOTSET


def test_without_torchrun_a_process_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with join_processes() as processes:
        assert processes is ALONE
