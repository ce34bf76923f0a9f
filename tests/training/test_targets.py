"""Whole runs with several labels, classes in order and long texts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file
from support import ranks
from support.ranks import Ranks
from support.stops import train_in_parts
from support.targets import LABELS, TASKS, tree_of, write_table
from support.toy import results, write_encoder

from mtbert import MultitaskModel
from mtbert.cli import main
from mtbert.config.load import parse_settings
from mtbert.data.batches import tokenize
from mtbert.data.examples import Example
from mtbert.errors import UserError
from mtbert.training.run import train


@pytest.fixture
def run(toy, tmp_path):
    """Train on these tasks below the test's folder; gives the summary."""

    def start(name, *tasks, resume=False, **changes):
        tree = tree_of(toy, tmp_path, *tasks, **changes)
        return train(parse_settings(tree, "targets"), tmp_path / name, resume=resume)

    return start


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"surgery": "pcgrad"}},
        {"encoder": {"mode": "heads_first", "heads_first_epochs": 1}},
        {"encoder": {"mode": "frozen"}},
    ],
    ids=["pcgrad", "heads_first", "frozen"],
)
def test_a_run_stopped_after_every_step_ends_bit_for_bit_as_one_left_alone(
    run, tmp_path, monkeypatch, changes
):
    changes = {**changes, "training": {"epochs": 1, **changes.get("training", {})}}
    steps = run("whole", **changes)["steps"]
    train_in_parts(monkeypatch, steps, lambda: run("parts", resume=True, **changes))
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_parts_of_batches_and_processes_give_the_weights_of_whole_batches(toy, tmp_path, mode):
    config, rates = (
        tmp_path / "config.json",
        ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    )
    encoder = write_encoder(tmp_path / "encoder", **dict.fromkeys(rates, 0.0))
    training = {"batch_size": 7, "batching": "method2", "epochs": 1}
    training |= {"surgery": "pcgrad"} if mode == "finetune" else {}
    tree = tree_of(toy, tmp_path, training=training, encoder={"mode": mode, "path": str(encoder)})
    for task in tree["tasks"].values():
        task["dropout"] = 0.0
    config.write_text(json.dumps(tree), encoding="utf-8")
    found = {}
    for name, size, more in (("one", 1, []), ("parts", 1, ["training.accumulate=3"]),
                             ("two", 2, [])):  # fmt: skip
        Ranks(size, tmp_path / f"ranks-{name}", ranks.train_wide, "--quiet", "train", config,
              "--output", tmp_path / name, *more).finish()  # fmt: skip
        newest = max((tmp_path / name).glob("checkpoints/step-*"))
        found[name] = load_file(newest / "weights.safetensors")
    for name, value in found["one"].items():
        for other in ("parts", "two"):
            torch.testing.assert_close(found[other][name], value, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_a_saved_model_answers_as_the_run_did(run, tmp_path, capsys, mode):
    run("run", encoder={"mode": mode})
    folder = tmp_path / "run"
    model = MultitaskModel.from_pretrained(folder / "model")
    rows = [json.loads(line) for line in (tmp_path / "dev.jsonl").read_text().splitlines()]
    for task in TASKS:
        lines = (folder / "predictions" / f"{task}-dev.jsonl").read_text().splitlines()
        pair = TASKS[task]["kind"].startswith("pair")
        texts = [(r["sentence"], r["other"]) if pair else r["sentence"] for r in rows]
        for line, answer in zip(map(json.loads, lines), model.predict(task, texts), strict=True):
            said = answer.as_json()
            assert line.keys() == {"id", "gold", *said}
            assert (line["prediction"], line.get("labels")) == (
                said["prediction"], said.get("labels"),
            )  # fmt: skip
            assert line["probabilities"] == pytest.approx(said["probabilities"], abs=1e-5)
    gold = [json.loads(line)["gold"] for line in
            (folder / "predictions" / "tags-dev.jsonl").read_text().splitlines()]  # fmt: skip
    assert gold == [[LABELS.index(noun) for noun in row["tags"]] for row in rows]
    capsys.readouterr()
    assert main(["--quiet", "evaluate", str(folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    summary = json.loads((folder / "summary.json").read_text())
    assert scores["dev"]["tags"] == pytest.approx(summary["dev"]["tags"], abs=1e-6)
    assert scores["dev"]["count"]["qwk"] == pytest.approx(
        summary["dev"]["count"]["qwk"], nan_ok=True
    )
    assert main(["--quiet", "report", str(folder)]) == 0


def test_features_of_a_frozen_encoder_are_those_of_its_windows(run, tmp_path):
    """What the head learns from, and what it is asked with later."""
    run("run", "tags", encoder={"mode": "frozen"})
    model = MultitaskModel.from_pretrained(tmp_path / "run" / "model")
    text = " ".join(["film"] * 20 + ["moon"] * 11)  # windows of 14, 14 and 3 words
    parts = [" ".join(text.split()[i : i + 14]) for i in (0, 14, 28)]
    represent = model.network.represent

    def vectors(texts):
        examples = [Example(str(i), (t,), None, i) for i, t in enumerate(texts)]
        task = model.network.tasks["tags"]
        inputs = tokenize(examples, task, model.tokenizer, model.max_length)
        return represent("tags", inputs.inputs(range(len(texts))))[:, 0].detach()

    weights = torch.tensor([16.0, 16.0, 5.0]) / 37
    torch.testing.assert_close(vectors([text])[0], weights @ vectors(parts))


def test_labels_and_ranks_that_follow_from_the_words_are_learned(run, tmp_path):
    write_table(tmp_path / "train.jsonl", 160, seed=1)
    training = {"epochs": 12, "batch_size": 8, "learning_rate": 3e-3, "head_learning_rate": 1e-2}
    dev = run("run", "tags", "count", training=training)["dev"]
    assert dev["tags"]["micro_f1"] > 0.9
    assert dev["count"]["qwk"] > 0.7
    assert dev["count"]["mae"] < 0.5


def test_a_shared_file_trains_a_task_on_the_rows_that_it_labels(toy, tmp_path):
    rows = ["text,tags,stars"]
    rows += ["the film,[],low", "the plot,a;b,", "the music,,high", "the cat,b,low"]
    (tmp_path / "both.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    tree = toy.tree(training={"epochs": 1, "batch_size": 2})
    file = str(tmp_path / "both.csv")
    tree["tasks"] = {
        "tags": {"kind": "multilabel_classification", "labels": ["a", "b"],
                 "columns": {"text": "text", "label": "tags"}, "train": file, "dev": file},
        "stars": {"kind": "classification", "labels": ["low", "high"], "loss": "ordinal",
                  "columns": {"text": "text", "label": "stars"}, "train": file, "dev": file},
    }  # fmt: skip
    summary = train(parse_settings(tree, "shared"), tmp_path / "run")
    assert summary["examples"] == dict.fromkeys(
        ("tags/train", "tags/dev", "stars/train", "stars/dev"), 3
    )
    assert set(summary["unlabelled_rows"].values()) == {1}


def test_a_task_that_only_evaluates_has_the_loss_of_the_head_it_uses(toy, tmp_path):
    tree = tree_of(toy, tmp_path, "count")
    tree["tasks"]["other"] = {
        "kind": "classification", "labels": TASKS["count"]["labels"], "uses": "count",
        "columns": {"label": "count"}, "dev": str(tmp_path / "dev.jsonl"), "loss": "cross_entropy",
    }  # fmt: skip
    with pytest.raises(UserError, match=r"tasks\.other\.uses: no trained task 'count' of the same"):
        parse_settings(tree, "uses")
    del tree["tasks"]["other"]["loss"]
    summary = train(parse_settings(tree, "uses"), tmp_path / "run")
    assert summary["dev"]["other"] == pytest.approx(summary["dev"]["count"], abs=0.5, nan_ok=True)


def test_the_plan_says_how_long_texts_are_cut(toy, tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(tree_of(toy, tmp_path)), encoding="utf-8")
    assert main(["--quiet", "train", str(config), "--dry-run"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    for name in TASKS:
        assert rows[name].rstrip().endswith(f"({TASKS[name]['long_texts']})")
    assert np.all([rows[name].split()[-2] != "0" for name in ("flags", "closer")])


def test_the_examples_of_the_page_are_configurations():
    page = (Path(__file__).parents[2] / "docs" / "targets.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    found = [YAML(typ="safe", pure=True).load(block) for block in blocks]
    assert len(found) == 5
    whole = {"kind": "regression", "train": "train.csv", "dev": "dev.csv"}
    for tree in found:
        ((name, task),) = tree["tasks"].items()
        parse_settings({"tasks": {name: {**({} if "kind" in task else whole), **task}}}, "page")
