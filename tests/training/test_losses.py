import json
import logging

import numpy as np
import pytest
from support.toy import records

from mtbert.inference.evaluate import Evaluation
from mtbert.runs.state import State
from mtbert.training.losses import add_losses, losses_line, take_means
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer


def test_means_are_over_the_steps_in_which_a_task_took_part():
    state = State()
    for losses in ({"a": 1.0, "b": 4.0}, {"a": 2.0}, {"a": 6.0, "b": 2.0}):
        add_losses(losses, state)
    assert take_means(state) == {"a": 3.0, "b": 3.0}
    assert take_means(state) == {}


def test_what_was_taken_in_comes_back_from_a_checkpoint():
    state = State(recent_losses={"a": (3.0, 2)}, dominance=[("a", 7.5)], told_dominant="a")
    values = {name: getattr(state, name) for name in State.__slots__}
    assert State.from_json(values, "here") == state


def test_the_line_names_each_loss_and_its_unit():
    found = Evaluation(
        dev={"queue": {}, "urgency": {}, "again": {}}, others={}, undefined={}, predictions={},
        main={}, losses={"queue": 1.78, "urgency": 9.70123, "again": 1e12, "queue/hard": 3.0},
        loss_names={"queue": "cross_entropy", "urgency": "mse", "again": "mse"},
    )  # fmt: skip
    assert losses_line({"queue": 1.791759, "urgency": 9.87}, found) == (
        "  losses, train/dev: queue cross_entropy 1.792/1.78  urgency mse 9.87/9.701  "
        "again mse -/1e+12"
    )


def lines_of(output, task):
    text = (output / "predictions" / f"{task}-dev.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("target", ["standardised", "raw"])
def test_losses_stand_in_the_log_and_on_the_screen_in_the_unit_of_the_labels(
    toy, tmp_path, caplog, target
):
    tasks = toy.tree()["tasks"]
    tasks["sts"] |= {"target": target, "range": None}
    with caplog.at_level(logging.INFO):
        toy.train(tmp_path / "run", tasks=tasks, training={"evaluate_every": 2})
    trained, dev = records(tmp_path / "run", "train"), records(tmp_path / "run", "dev")
    for number, record in enumerate(dev):
        steps = [r for r in trained if 2 * number < r["step"] <= record["step"]]
        for task in tasks:
            mean = np.mean([r["loss"][task] for r in steps])
            assert record["train_loss"][task] == pytest.approx(mean, rel=1e-9)
    best = [record for record in dev if record["best"]][-1]
    errors = [(row["prediction"] - row["gold"]) ** 2 for row in lines_of(tmp_path / "run", "sts")]
    assert best["loss"]["sts"] == pytest.approx(np.mean(errors), rel=1e-9)
    found = lines_of(tmp_path / "run", "sst")
    surprise = [-np.log(row["probabilities"][["bad", "good"][row["gold"]]]) for row in found]
    assert best["loss"]["sst"] == pytest.approx(np.mean(surprise), rel=1e-9)
    shown = [m for m in caplog.messages if "losses, train/dev" in m]
    assert len(shown) == len(dev)
    last = dev[-1]["train_loss"]["sts"], dev[-1]["loss"]["sts"]
    assert "  sts mse {:.4g}/{:.4g}".format(*last) in shown[-1]


def test_a_resumed_run_shows_the_mean_of_all_steps(toy, tmp_path, monkeypatch):
    toy.train(tmp_path / "whole")
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested |= self.state.step == 2

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_after_step", stopping)
        with pytest.raises(Interrupted):
            toy.train(tmp_path / "parts")
    toy.train(tmp_path / "parts", resume=True)
    assert records(tmp_path / "parts", "dev") == records(tmp_path / "whole", "dev")
