import logging

import pytest

from mtbert.distributed.processes import ALONE
from mtbert.training.phases.heads import heads_phase
from mtbert.training.run import Interrupted
from mtbert.training.setup import prepare
from mtbert.training.trainer import Trainer

HEADS_FIRST = {"mode": "heads_first", "heads_first_epochs": 1}
ENCODING = "encoding once what the frozen encoder would encode every epoch"


@pytest.fixture
def stop_after(monkeypatch):
    """Ask for a stop after a step of the run."""
    after_step = Trainer._after_step

    def install(number):
        def stopping(self, *args):
            after_step(self, *args)
            self._interruption.requested |= self.state.step == number

        monkeypatch.setattr(Trainer, "_after_step", stopping)

    return install


@pytest.mark.parametrize("stopped", [3, 4, 5])
def test_features_are_not_encoded_again_once_their_phase_is_over(
    toy, tmp_path, stop_after, caplog, stopped
):
    """Steps 1 to 3 train the heads, 4 to 6 everything; it is stopped there and goes on."""
    changes = {"encoder": HEADS_FIRST, "training": {"epochs": 1}}
    with caplog.at_level(logging.INFO):
        with pytest.raises(Interrupted):
            stop_after(stopped)
            toy.train(tmp_path / "run", **changes)
        assert caplog.text.count(ENCODING) == 1
        caplog.clear()
        summary = toy.train(tmp_path / "run", resume=True, **changes)
    assert summary["steps"] == 6
    assert ENCODING not in caplog.text


def test_features_are_encoded_again_within_their_phase_and_counted_once(
    toy, tmp_path, stop_after, caplog
):
    whole = toy.train(tmp_path / "whole", encoder=HEADS_FIRST, training={"epochs": 1})
    with caplog.at_level(logging.INFO):
        with pytest.raises(Interrupted):
            stop_after(2)
            toy.train(tmp_path / "run", encoder=HEADS_FIRST, training={"epochs": 1})
        caplog.clear()
        changes = {"encoder": HEADS_FIRST, "training": {"epochs": 1}}
        summary = toy.train(tmp_path / "run", resume=True, **changes)
    assert caplog.text.count(ENCODING) == 1
    assert summary["tokens"] == whole["tokens"]


def test_nothing_is_encoded_before_the_phase_starts(toy, caplog):
    prepared = prepare(toy.settings(encoder=HEADS_FIRST), ALONE)
    with caplog.at_level(logging.INFO):
        phase = heads_phase(prepared)
        assert ENCODING not in caplog.text
        data = phase.prepare()
    assert ENCODING in caplog.text
    lengths = {name: int(part.lengths.sum()) for name, part in prepared.train.items()}
    assert data.encoded_tokens == lengths["sst"] + lengths["para"] + 2 * lengths["sts"]
    assert {name: len(source) for name, source in data.sources.items()} == {
        name: len(part) for name, part in prepared.train.items()
    }


@pytest.mark.parametrize(
    ("mode", "training", "expected"),
    [
        ("frozen", {"learning_rate": None}, (1e-3, 2)),
        ("frozen", {"learning_rate": 5e-4}, (5e-4, 2)),
        ("frozen", {"learning_rate": 5e-4, "head_learning_rate": 3e-3}, (3e-3, 2)),
        ("heads_first", {"learning_rate": 5e-4}, (1e-3, 4)),
        ("heads_first", {"head_learning_rate": 3e-3}, (3e-3, 4)),
    ],
)
def test_rates_and_epochs_are_the_frozen_encoders(toy, mode, training, expected):
    settings = toy.settings(encoder={"mode": mode, "heads_first_epochs": 4}, training=training)
    phase = heads_phase(prepare(settings, ALONE))
    assert (phase.head_learning_rate, phase.epochs) == expected
    assert phase.spec.epochs == phase.epochs
    assert not phase.trains_trunk
