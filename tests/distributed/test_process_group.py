"""Several processes train one model: as one process would, or they all end with a message."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support import ranks
from support.ranks import Ranks
from support.toy import TASKS, records, write_encoder, write_rows

SIZES = (2, 3)


# Whole runs


VARIANTS = {
    "sum": {"training": {"clip": 0.5, "schedule": "linear", "average": 0.8}},
    "pcgrad": {"training": {"surgery": "pcgrad", "accumulate": 2, "weight_decay": 0.01}},
    "rich heads and popart": {
        "tasks": {
            "sst": TASKS["sst"] | {"head": "attention", "layers": 2, "hidden_size": 8},
            "para": TASKS["para"] | {"layers": 2},
            "sts": TASKS["sts"] | {"target": "popart"},
        },
        "training": {"layer_decay": 0.9, "average": 0.8},
    },
    "heads first": {
        "encoder": {"mode": "heads_first", "heads_first_epochs": 1},
        "training": {"batching": "method1", "group_by_length": True},
    },
    "top layers": {
        "encoder": {"sharing": "top_layers"},
        "training": {"surgery": "pcgrad"},
    },
    "soft": {
        "encoder": {"sharing": {"name": "soft", "strength": 0.1}},
        "training": {"accumulate": 2},
    },
    "pals": {"encoder": {"sharing": "pals"}, "training": {}},
    "lora": {
        "encoder": {"mode": "frozen", "sharing": {"name": "lora", "alpha": 16}},
        "training": {"accumulate": 2},
    },
}


@pytest.fixture(scope="module")
def still(toy, tmp_path_factory):
    """A function that writes a configuration without dropout, on sizes that do not divide."""
    folder = tmp_path_factory.mktemp("still")
    path = write_encoder(
        folder / "encoder", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )

    def write(name, *, training=None, encoder=None, **changes):
        training = {"batch_size": 5, "batching": "method2", **(training or {})}
        encoder = {"path": str(path), **(encoder or {})}
        tree = toy.tree(training=training, encoder=encoder, **changes)
        for task in tree["tasks"].values():
            task["dropout"] = 0.0
        tree["tasks"]["sst"]["class_weights"] = "balanced"
        file = folder / f"{name.replace(' ', '-')}.json"
        file.write_text(json.dumps(tree), encoding="utf-8")
        return file

    return write


def run_of(size, folder, config, *options, function=ranks.train_wide, before=()):
    """A whole run by so many processes that ends well; its folder."""
    output = folder / f"run-{size}"
    Ranks(size, folder / f"ranks-{size}", function, *before, "--quiet", "train", config,
          "--output", output, *options).finish()  # fmt: skip
    return output


def newest(output, file):
    return load_file(max(output.glob("checkpoints/step-*")) / f"{file}.safetensors")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_has_the_weights_of_one_process(still, tmp_path, variant):
    config = still(variant, **VARIANTS[variant])
    expected = run_of(1, tmp_path, config)
    for size in SIZES:
        found = run_of(size, tmp_path, config)
        averaged = "average" in VARIANTS[variant]["training"]
        for file in ("weights", "moments", "best", *["average"] * averaged):
            one, several = newest(expected, file), newest(found, file)
            assert one.keys() == several.keys()
            for name, value in one.items():
                assert value.dtype == torch.float64
                torch.testing.assert_close(several[name], value, rtol=0, atol=1e-12, msg=name)
        assert summary(found)["processes"] == size
        for key in ("steps", "tokens", "best_step", "examples"):
            assert summary(found)[key] == summary(expected)[key]
        for task, metrics in summary(expected)["dev"].items():
            assert summary(found)["dev"][task] == pytest.approx(metrics, abs=1e-9)
        lines = [[r["step"] for r in records(output)] for output in (found, expected)]
        assert lines[0] == lines[1]


def summary(output):
    return json.loads((output / "summary.json").read_text("utf-8"))


def test_metrics_and_predictions_are_the_same_for_any_number_of_processes(toy, tmp_path):
    """Bit for bit, and each row once."""
    run = run_of(1, tmp_path, toy.config(tmp_path / "toy.json"), function=ranks.command)
    found = []
    for size in (1, 2, 3, 4):
        Ranks(size, tmp_path / str(size), ranks.score, run).finish()
        found += [(tmp_path / str(size) / f"{rank}.json").read_text() for rank in range(size)]
    assert len(found) == 10
    assert len(set(found)) == 1
    _, predictions = json.loads(found[0])
    counts = {task: Counter(row["id"] for row in rows) for task, rows in predictions.items()}
    assert {task: len(ids) for task, ids in counts.items()} == {"sst": 8, "para": 6, "sts": 10}
    assert all(set(ids.values()) == {1} for ids in counts.values())


def test_dropout_differs_from_process_to_process_and_the_first_has_that_of_one(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json")
    losses = [
        records(run_of(size, tmp_path, config, function=ranks.command), "train")[0]["loss"]
        for size in (1, 2)
    ]
    assert losses[0] != pytest.approx(losses[1], rel=1e-6)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux for its threads")
def test_no_thread_of_a_group_outlives_it(tmp_path):
    """One that does aborts the process now and then, at its very end."""
    assert Ranks(2, tmp_path, ranks.threads_left).codes() == [0, 0]


def test_a_dry_run_prints_once(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json")
    started = Ranks(2, tmp_path / "ranks", ranks.command, "train", config, "--dry-run").finish()
    assert started.told(0, "out").count("batches an epoch") == 1
    assert not (tmp_path / "ranks" / "runs").exists()


# Stops


def stopped_run(config, tmp_path, size, kind, *options):
    """A run that meets trouble before step 3; the processes and the folder."""
    output = tmp_path / "run"
    started = Ranks(size, tmp_path / f"ranks-{kind}".replace(" ", "-"), ranks.noted, kind,
                    "--quiet", "train", config, "--output", output, *options,
                    MTBERT_STEP_TIMEOUT=2 if "answer" in kind else 30)  # fmt: skip
    return started, output


@pytest.mark.parametrize(("guilty", "later"), [(0, 1), (1, 3)])
def test_a_stop_is_agreed_upon_and_any_number_goes_on(toy, tmp_path, guilty, later):
    """With the examples of the run that was never stopped, step by step."""
    config = toy.config(tmp_path / "toy.json", training={"batching": "method2", "average": 0.9})
    whole = Ranks(1, tmp_path / "whole", ranks.noted, None, "--quiet", "train", config).finish()
    started, output = stopped_run(config, tmp_path, 2, f"process {guilty} is asked to stop")
    assert started.codes() == [130, 130]
    assert started.told(0) == (
        f"mtbert: {output}: stopped; go on with:\n"
        f"  torchrun --nproc-per-node 2 -m mtbert train --resume {output}\n"
    )
    assert started.told(1) == ""
    seen = started.notes()
    assert started.notes(1) == seen
    assert [step for step, _ in seen] == [1, 2, 3]
    more = Ranks(later, tmp_path / "more", ranks.noted, None, "train", config, "--output", output,
                 "--resume").finish()  # fmt: skip
    assert f"processes: 2, now {later}" in more.told()
    assert seen + more.notes() == whole.notes()
    assert summary(output)["processes"] == later


@pytest.mark.parametrize("guilty", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_process_that_is_killed_ends_all_with_a_message(toy, tmp_path, guilty, size):
    config = toy.config(tmp_path / "toy.json", training={"checkpoint_every": 1})
    started, output = stopped_run(config, tmp_path, size, f"process {guilty} is killed")
    codes = started.codes()
    assert codes == [-signal.SIGKILL if rank == guilty else 1 for rank in range(size)]
    for rank in range(size):
        if rank != guilty:
            told = started.told(rank)
            assert told.startswith(f"mtbert: process {rank} of {size}: another process has ended")
            assert "--resume" in told
            assert told.count("\n") == 1
    run_again = Ranks(1, tmp_path / "again", ranks.command, "--quiet", "train", config,
                      "--output", output, "--resume")  # fmt: skip
    assert run_again.codes() == [0]
    assert [r["step"] for r in records(output, "train")] == [1, 2, 3, 4, 5, 6]


def test_a_process_that_does_not_answer_ends_the_others_with_a_message(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json")
    started, _ = stopped_run(config, tmp_path, 2, "process 1 does not answer")
    started.processes[0].join(ranks.SECONDS)
    assert started.processes[0].exitcode == 1
    assert "does not answer within 2 s" in started.told()
    assert "MTBERT_STEP_TIMEOUT" in started.told()
    with contextlib.suppress(ProcessLookupError):
        os.kill(started.processes[1].pid, signal.SIGKILL)
    started.processes[1].join()


def test_a_defect_in_one_process_is_told_there_and_ends_all(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json")
    started, _ = stopped_run(config, tmp_path, 2, "process 1 raises")
    assert started.codes() == [1, 1]
    assert "ValueError: a defect" in started.told(1)
    assert "another process has ended" in started.told(0)


@pytest.mark.parametrize("what", ["a checkpoint", "predictions", "a line"])
def test_a_full_disk_is_told_once_and_ends_all(toy, tmp_path, what):
    config = toy.config(tmp_path / "toy.json")
    started, output = stopped_run(config, tmp_path, 2, f"no space for {what}")
    assert started.codes() == [2, 2]
    assert "No space left on device" in started.told(0)
    assert started.told(0).count("mtbert: ") == 1
    assert "Traceback" not in started.told(0)
    assert started.told(1) == ""
    assert not (output / "summary.json").exists()


def test_weights_that_drift_apart_are_not_saved(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json")
    started, output = stopped_run(config, tmp_path, 2, "process 1 drifts")
    assert started.codes() == [1, 1]
    assert "step 3: the weights of process 1 are no longer those of process 0" in started.told()
    assert started.told(1) == ""
    assert not list(output.glob("checkpoints/step-*"))


def test_a_loss_that_is_no_number_stops_all_with_one_message(toy, tmp_path):
    config = _with_a_huge_label(toy, tmp_path)
    started = Ranks(2, tmp_path / "ranks", ranks.command, "--quiet", "train", config)
    assert started.codes() == [1, 1]
    assert "task sts, step 1: the loss is inf; examples 1;" in started.told(0)
    assert started.told(1) == ""


def test_what_is_left_out_is_the_same_as_by_one_process(toy, tmp_path):
    config = _with_a_huge_label(toy, tmp_path)
    found = {
        size: run_of(size, tmp_path, config, "training.non_finite=halve", function=ranks.command)
        for size in (1, 2)
    }
    for key in ("left_out", "learning_rate_factor", "steps"):
        assert summary(found[1])[key] == summary(found[2])[key]
    assert summary(found[1])["left_out"] == {"sts": 2}
    assert records(found[1], "non_finite") == records(found[2], "non_finite")


def _with_a_huge_label(toy, folder):
    rows = "sentence1,sentence2,label\na cat,a dog,1e30\n"
    (folder / "huge.csv").write_text(rows, encoding="utf-8")
    tree = toy.tree("sst", "sts")
    tree["tasks"]["sts"] |= {
        "train": str(folder / "huge.csv"),
        "range": None,
        "target": "raw",  # what is standardised stays small
    }
    return toy.config(folder / "toy.json", tasks=tree["tasks"])


# What is wrong from the start


def test_a_mistake_of_the_user_is_told_once(toy, tmp_path):
    """By real processes from the command line, whose ends are theirs."""
    config = toy.config(tmp_path / "toy.json")
    place = ranks.rendezvous(2)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "mtbert", "train", str(config), "training.epoch=3"],
            stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env=os.environ | place | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    told = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [2, 2], told
    assert told[0].startswith("mtbert: ")
    assert "training.epoch: unknown key" in told[0]
    assert told[0].count("\n") == 1
    assert told[1] == ""


def test_parts_of_batches_that_memory_decides_are_for_one_process(toy, tmp_path):
    config = toy.config(tmp_path / "toy.json", training={"accumulate": "auto"})
    started = Ranks(2, tmp_path / "ranks", ranks.command, "--quiet", "train", config)
    assert started.codes() == [2, 2]
    assert "training.accumulate: found auto" in started.told(0)
    assert "2 processes" in started.told(0)
    assert started.told(0).count("\n") == 1
    assert started.told(1) == ""


def start_each(tmp_path, *configs):
    commands = [["--quiet", "train", str(config), "--output", "run"] for config in configs]
    return Ranks(len(configs), tmp_path / "ranks", ranks.own_command, commands)


def test_a_file_that_only_another_machine_lacks_is_told_by_the_first(toy, tmp_path):
    started = start_each(tmp_path, toy.config(tmp_path / "toy.json"), tmp_path / "none.yaml")
    assert started.codes() == [2, 2]
    assert started.told(0).startswith("mtbert: process 1: configuration ")
    assert "neither a file nor a shipped name" in started.told(0)
    assert started.told(1) == ""


def test_processes_that_start_from_something_else_are_refused(toy, tmp_path):
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["train"] = str(write_rows(tmp_path / "other.csv", "sst", 8, seed=4))
    configs = [
        toy.config(tmp_path / "a.json", "sst"),
        toy.config(tmp_path / "b.json", tasks=tree["tasks"], training={"epochs": 3}),
    ]
    started = start_each(tmp_path, *configs)
    assert started.codes() == [2, 2]
    assert "process 1: files.tasks.sst.train: " in started.told(0)
    assert "process 1: settings.training.epochs: 2, there 3" in started.told(0)
    assert started.told(1) == ""
    assert not (tmp_path / "ranks" / "run").exists()


# The long crossings


@pytest.mark.long
@pytest.mark.parametrize("size", [2, 4])
def test_a_slow_process_and_a_save_at_every_step(toy, tmp_path, size):
    config = toy.config(tmp_path / "toy.json", training={"checkpoint_every": 1, "epochs": 6})
    run_of(size, tmp_path, config, function=ranks.trouble, before=("process 1 is slow",))
    saved = sorted(p.name for p in (tmp_path / f"run-{size}" / "checkpoints").iterdir())
    assert saved == ["step-00000018"]


@pytest.mark.long
@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
def test_data_of_any_size(still, toy, tmp_path, surgery):
    """From 1 to 17 examples by 2 and 4 processes, against one."""
    for count in range(1, 18):
        tasks = toy.tree("sst", "sts")["tasks"]
        for task, rows in (("sst", count), ("sts", 18 - count)):
            file = write_rows(tmp_path / f"{task}-{count}.csv", task, rows, seed=1)
            tasks[task]["train"] = str(file)
        training = {"batch_size": 3, "surgery": surgery, "epochs": 1}
        config = still(f"any {surgery} {count}", tasks=tasks, training=training)
        one, *others = (run_of(n, tmp_path / str(count), config) for n in (1, 2, 4))
        for several in others:
            for name, value in newest(one, "weights").items():
                found = newest(several, "weights")[name]
                torch.testing.assert_close(found, value, rtol=0, atol=1e-12, msg=name)
