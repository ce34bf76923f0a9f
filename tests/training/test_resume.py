"""A run that is stopped and resumed ends exactly as one that was left alone."""

import json
import logging

import pytest
from support.toy import records, results

from mtbert.errors import UserError
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer

VARIANTS = {
    "surgery": {
        "training": {
            "batching": "method2",
            "surgery": "pcgrad",
            "accumulate": 2,
            "schedule": "linear",
            "warmup": 0.2,
            "clip": 1.0,
            "weight_decay": 0.01,
            "average": 0.9,
        }
    },
    "grouped": {
        "training": {
            "batching": "continued",
            "group_by_length": True,
            "schedule": "cosine",
            "evaluate_every": 2,
            "steps_per_epoch": 3,
        }
    },
    "by coordinate, now and then": {"training": {"surgery": "graddrop", "surgery_every": 2}},
    "heads first": {
        "encoder": {"mode": "heads_first", "heads_first_epochs": 1},
        "training": {"epochs": 1, "batching": "method1", "average": 0.9},
    },
    "frozen": {"encoder": {"mode": "frozen"}, "training": {"patience": 1, "epochs": 4}},
}


class Killed(Exception):
    """The process dies here."""


@pytest.fixture
def stop(monkeypatch):
    """Ask for a stop after every step for which `when` is true."""
    after_step = Trainer._after_step

    def stop_when(when):
        def stopping(self, *args):
            after_step(self, *args)
            self._interruption.requested |= when(self.state.step)

        monkeypatch.setattr(Trainer, "_after_step", stopping)

    return stop_when


def train_on(toy, output, **changes):
    """Resume until the run ends; returns its summary and how often it was stopped."""
    for stops in range(100):
        try:
            return toy.train(output, resume=True, **changes), stops
        except Interrupted as stopped:
            assert str(stopped) == f"{output}: stopped; go on with --resume"
    raise AssertionError("the run does not end")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_stopped_after_every_step_ends_bit_for_bit_as_one_left_alone(
    toy, tmp_path, stop, variant
):
    changes = VARIANTS[variant]
    steps = toy.train(tmp_path / "whole", **changes)["steps"]
    stop(lambda step: True)
    _, stops = train_on(toy, tmp_path / "parts", **changes)
    assert stops == steps
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    trained = [r["step"] for r in records(tmp_path / "parts", "train")]
    assert trained == list(range(1, steps + 1))


def test_a_run_that_dies_goes_on_from_its_last_checkpoint(toy, tmp_path, monkeypatch):
    changes = {"training": {"checkpoint_every": 2, "surgery": "pcgrad"}}
    toy.train(tmp_path / "whole", **changes)
    train_step = Trainer._train_step

    def dying(self, *args):
        if self.state.step == 5:
            raise Killed
        train_step(self, *args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_train_step", dying)
        toy.train(tmp_path / "parts", **changes)
    assert [r["step"] for r in records(tmp_path / "parts", "train")] == [1, 2, 3, 4, 5]
    assert [p.name for p in (tmp_path / "parts" / "checkpoints").iterdir()] == ["step-00000004"]
    toy.train(tmp_path / "parts", resume=True, **changes)
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_a_damaged_newest_checkpoint_costs_steps_but_changes_nothing(
    toy, tmp_path, stop, monkeypatch, caplog
):
    changes = {"training": {"checkpoint_every": 1, "keep_checkpoints": 2}}
    toy.train(tmp_path / "whole", **changes)
    with monkeypatch.context():
        stop(lambda step: step == 4)
        with pytest.raises(Interrupted):
            toy.train(tmp_path / "parts", **changes)
        monkeypatch.undo()
    checkpoints = sorted((tmp_path / "parts" / "checkpoints").iterdir())
    assert [p.name for p in checkpoints] == ["step-00000003", "step-00000004"]
    (checkpoints[1] / "moments.safetensors").unlink()
    with caplog.at_level(logging.WARNING):
        toy.train(tmp_path / "parts", resume=True, **changes)
    assert "step-00000004: moments.safetensors is missing or damaged" in caplog.text
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_resume_starts_afresh_where_nothing_is_saved_yet(toy, tmp_path):
    toy.train(tmp_path / "whole", "sst")
    toy.train(tmp_path / "resumed", "sst", resume=True)
    assert results(tmp_path / "resumed") == results(tmp_path / "whole")


def test_resuming_a_finished_run_returns_its_summary_and_changes_nothing(toy, tmp_path):
    summary = toy.train(tmp_path / "run", "sst")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    again = toy.train(tmp_path / "run", "sst", resume=True)
    assert again == json.loads(json.dumps(summary))
    after = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert after == before


def test_a_setting_changed_in_mid_run_is_refused_by_name(toy, tmp_path, stop):
    stop(lambda step: step == 2)
    with pytest.raises(Interrupted):
        toy.train(tmp_path / "run", "sst")
    with pytest.raises(UserError, match=r"training\.batch_size: 4, now 3"):
        toy.train(tmp_path / "run", "sst", resume=True, training={"batch_size": 3})


def test_epochs_do_not_repeat_each_others_order(toy, tmp_path, stop):
    """A run stopped at each epoch's end must not train on one ordering for ever."""
    stop(lambda step: step % 4 == 0)
    train_on(toy, tmp_path / "run", tasks=toy.tree("sst")["tasks"], training={"epochs": 3})
    losses = [r["loss"]["sst"] for r in records(tmp_path / "run", "train")]
    assert len(set(losses)) == 12
