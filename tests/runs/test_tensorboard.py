import sys

import pytest

from mtbert.errors import UserError


def test_tensorboard_files_are_written_on_demand(toy, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    written = []

    class Writer:
        def __init__(self, folder):
            written.append(folder)

        def add_scalar(self, tag, value, step):
            written.append((tag, step))

        def close(self):
            written.append("closed")

    stub = type(sys)("tensorboard")
    stub.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    toy.train(tmp_path / "run", "sst", training={"tensorboard": True, "epochs": 1})
    assert written[0] == str(tmp_path / "run" / "tensorboard")
    assert {("train/loss/sst", 1), ("train/loss/sst", 4), ("dev/dev/sst/f1", 4)} < set(written)
    assert written[-1] == "closed"


def test_without_tensorboard_the_run_is_refused_before_anything_is_written(
    toy, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[tensorboard\]'"):
        toy.train(tmp_path / "run", "sst", training={"tensorboard": True})
    assert list(tmp_path.iterdir()) == []
