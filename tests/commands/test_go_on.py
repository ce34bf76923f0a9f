"""The command that goes on with a run, as one types it."""

import shlex
import sys

import pytest

from mtbert.commands.go_on import go_on_command

STARTED = ["my config.yaml", "--output", "run"]


@pytest.fixture
def called_as(monkeypatch, tmp_path):
    def call(name):
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return call


def test_a_run_that_has_a_folder_needs_no_more(tmp_path, called_as):
    called_as("mtbert")
    assert go_on_command(tmp_path / "r", STARTED, {}) == (
        "mtbert train 'my config.yaml' --output run"
    )
    (tmp_path / "it's").mkdir()
    (tmp_path / "it's" / "config.yaml").touch()
    told = go_on_command(tmp_path / "it's", STARTED, {})
    assert shlex.split(told) == ["mtbert", "train", "--resume", str(tmp_path / "it's")]


def test_mtbert_is_named_as_it_was_called(tmp_path, called_as):
    called_as("/x/mtbert/__main__.py")
    assert shlex.split(go_on_command(tmp_path, ["c"], {}))[:3] == [sys.executable, "-m", "mtbert"]
    script = tmp_path / "venv" / "mtbert"
    script.parent.mkdir()
    script.touch()
    called_as(str(script))
    assert shlex.split(go_on_command(tmp_path, ["c"], {}))[0] == str(script)
    (tmp_path / "bin").mkdir()
    script.chmod(0o755)
    (tmp_path / "bin" / "mtbert").symlink_to(script)
    assert shlex.split(go_on_command(tmp_path, ["c"], {}))[0] == "mtbert"


def test_several_processes_are_started_by_torchrun(tmp_path, called_as):
    called_as("mtbert")
    one = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "GROUP_WORLD_SIZE": "1"}
    assert go_on_command(tmp_path, ["c"], one) == "torchrun --nproc-per-node 4 -m mtbert train c"
    two = one | {"WORLD_SIZE": "8", "GROUP_WORLD_SIZE": "2", "MASTER_ADDR": "first"}
    assert go_on_command(tmp_path, ["c"], two) == (
        "torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint first:29500 "
        "-m mtbert train c"
    )
