"""Tasks trained one after the other: what is scored, told and forgotten."""

import json

import numpy as np
import pytest
from support.toy import TASKS, records

from mtbert.cli import main

TRAINING = {
    "epochs": 3,
    "batching": "sequential",
    "learning_rate": 3e-3,
    "head_learning_rate": 3e-3,
}


@pytest.fixture(scope="module")
def runs(toy, tmp_path_factory):
    """Summaries, by aggregator and order of the tasks, and their folders."""
    folder, found = tmp_path_factory.mktemp("sequential"), {}
    for surgery in ("none", "gem", "agem"):
        for order in (("sst", "para", "sts"), ("sts", "para", "sst")):
            output = folder / f"{surgery}-{order[0]}"
            tasks = {name: dict(TASKS[name]) for name in order}
            training = {**TRAINING, "surgery": surgery}
            found[surgery, order] = (toy.train(output, tasks=tasks, training=training), output)
    return found


def test_every_task_is_scored_after_every_stage_in_both_orders(runs):
    for (_, order), (summary, output) in runs.items():
        stages = summary["forgetting"]["stages"]
        assert [stage["task"] for stage in stages] == list(order)
        batches = {"sst": 4, "para": 3, "sts": 5}  # of 16, 12 and 20 examples
        steps = [3 * sum(batches[task] for task in order[: n + 1]) for n in range(3)]
        assert [stage["step"] for stage in stages] == steps
        dev = {record["step"]: record["dev"] for record in records(output, "dev")}
        for stage in stages:
            shown = {task: next(iter(m.values())) for task, m in dev[stage["step"]].items()}
            assert stage["scores"] == pytest.approx(shown, nan_ok=True)


def test_each_step_trains_and_logs_one_task(runs):
    for (_, order), (_, output) in runs.items():
        seen = [list(record["loss"]) for record in records(output, "train")]
        assert all(len(tasks) == 1 for tasks in seen)
        first = [tasks[0] for tasks in seen]
        assert list(dict.fromkeys(first)) == list(order)


def test_constraints_begin_with_the_second_stage_and_change_what_follows(runs):
    order = ("sst", "para", "sts")
    losses = {
        surgery: np.array(
            [[*r["loss"].values()] for r in records(runs[surgery, order][1], "train")]
        )
        for surgery in ("none", "gem", "agem")
    }
    none, gem, agem = losses.values()

    def alike(a, b, steps):
        return np.allclose(a[:steps], b[:steps], rtol=1e-3)

    assert alike(gem, none, 13)  # the constraint of step 13 shows in the loss of the next one
    assert not alike(gem, none, 21)
    assert alike(agem, gem, 22)  # of one earlier task they are alike
    assert not alike(agem, gem, 36)
    tokens = {surgery: runs[surgery, order][0]["tokens"] for surgery in losses}
    assert tokens["gem"] == tokens["agem"] > tokens["none"]


def test_the_table_of_forgetting_is_on_the_screen_and_in_the_report(runs, capsys):
    summary, output = runs["gem", ("sst", "para", "sts")]
    assert main(["--quiet", "train", "--resume", str(output)]) == 0
    shown = capsys.readouterr().out
    assert "after sst" in shown
    assert "change since its stage" in shown
    assert main(["--quiet", "report", str(output)]) == 0
    (file,) = output.glob("**/*.html")
    page = file.read_text("utf-8")
    transfer = summary["forgetting"]["backward_transfer"]
    assert "Forgetting" in page
    assert "after para" in page
    assert f"Backward transfer {transfer:+.4f}" in page


def test_a_run_that_trains_tasks_together_has_no_such_table(toy, tmp_path):
    summary = toy.train(tmp_path / "run", training={"epochs": 1})
    assert "forgetting" not in summary
    state = max((tmp_path / "run" / "checkpoints").iterdir()) / "state.json"
    assert json.loads(state.read_text())["stages"] == []


def test_a_frozen_encoder_is_trained_in_stages_too(toy, tmp_path):
    encoder = {"mode": "heads_first", "heads_first_epochs": 1}
    training = {**TRAINING, "epochs": 1, "surgery": "gem"}
    summary = toy.train(tmp_path / "run", encoder=encoder, training=training)
    stages = summary["forgetting"]["stages"]
    assert [stage["task"] for stage in stages] == ["sst", "para", "sts"]
    assert [stage["step"] for stage in stages] == [16, 19, 24]  # those of the last phase
