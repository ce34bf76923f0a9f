"""A disk that is full, a folder that cannot be written or is gone: told, and nothing is lost."""

import os
import re
import resource
import shutil
import sys
from pathlib import Path

import pytest
from support.kills import SECONDS, server
from support.toy import Toy, results

from mtbert.cli import main
from mtbert.errors import UserError
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance
from mtbert.training import run
from mtbert.training.trainer import Trainer

CHANGES = {
    "threads": 1,
    "training": {"steps_per_epoch": 3, "checkpoint_every": 2, "epochs": 2, "log_every": 99},
}


def fill_the_disk(run: Path):
    """No file may grow over 1,000 bytes; the kernel refuses what is more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))


def lose_permission(run: Path):
    """The folder is another user's now."""
    run.chmod(0o500)
    for folder in run.rglob("*"):
        folder.chmod(0o500 if folder.is_dir() else 0o400)
    if os.geteuid() == 0:
        os.setuid(65534)


def vanish(run: Path):
    run.rename(run.with_name("moved"))


def be_replaced(run: Path):
    vanish(run)
    shutil.copytree(run.with_name("moved"), run)


TROUBLES = {
    "full disk": (fill_the_disk, "step-00000004: cannot be written: .*File too large"),
    "no permission": (lose_permission, "run.*: cannot be written: Permission denied"),
    "vanished": (vanish, "run: the run folder has vanished"),
    "replaced": (be_replaced, "run: the run folder has vanished, or another one is in its place"),
}


WRITERS = [
    (Provenance, "write", "run.json"),
    (RunFolder, "start_metrics", "metrics.jsonl"),
    (RunFolder, "log", "metrics.jsonl"),
    (RunFolder, "write_predictions", "predictions/sst-dev.jsonl"),
    (run, "save_network", "model/config.json"),
    (RunFolder, "write_summary", "summary.json"),
]


def train_into_trouble(folder: Path, name: str):
    """The child: a command that meets with the trouble after its fourth step."""
    train_step = Trainer._train_step

    def troubled(self, *args):
        train_step(self, *args)
        if self.state.step == 4:
            TROUBLES[name][0](folder / "run")

    Trainer._train_step = troubled
    sys.stderr = (folder / "errors").open("w")
    code = main(["--quiet", "train", str(folder / "c.json"), "--output", str(folder / "run")])
    sys.stderr.flush()
    os._exit(code)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_run_in_trouble_ends_with_a_message_and_can_go_on(toy: Toy, tmp_path, name):
    toy.train(tmp_path / "whole", "sst", **CHANGES)
    toy.config(tmp_path / "c.json", "sst", **CHANGES)
    process = server().Process(target=train_into_trouble, args=(tmp_path, name))
    process.start()
    process.join(SECONDS)
    told = (tmp_path / "errors").read_text("utf-8")
    assert process.exitcode == 2, told
    assert told.startswith("mtbert: ")
    assert told.count("\n") == 1
    assert re.search(TROUBLES[name][1], told)
    if name in ("vanished", "replaced"):
        assert (tmp_path / "run").exists() == (name == "replaced")
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        (tmp_path / "moved").rename(tmp_path / "run")
    for path in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        path.chmod(0o700)
    assert [p.name for p in (tmp_path / "run" / "checkpoints").glob("step-*")] == ["step-00000002"]
    toy.train(tmp_path / "run", "sst", resume=True, **CHANGES)
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_a_full_disk_is_told_at_every_file(toy, tmp_path, monkeypatch):
    """The files of a run that are not a checkpoint's, each when no byte more fits in."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    training = {"steps_per_epoch": 1, "epochs": 1}
    for number, (owner, name, file) in enumerate(WRITERS):
        function = getattr(owner, name)

        def limited(*args, function=function):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, unlimited[1]))
            return function(*args)

        run_folder = tmp_path / str(number)
        with monkeypatch.context() as patch, pytest.raises(UserError) as error:
            patch.setattr(owner, name, limited)
            try:
                toy.train(run_folder, "sst", training=training)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert re.fullmatch(f"{run_folder}/{file}: cannot be written: .*", str(error.value))
        assert "File too large" in str(error.value)
        assert list(run_folder.rglob("*.partial")) == []
        assert not (run_folder / "summary.json").exists()
        toy.train(run_folder, "sst", resume=True, training=training)
