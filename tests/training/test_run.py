"""Whole runs: what they write, from which settings, and when they refuse."""

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from support.toy import model_bytes, records, write_rows

from mtbert.commands.evaluate import evaluate_run
from mtbert.config.load import load_config
from mtbert.inference.model import MultitaskModel
from mtbert.model.encoders.base import load_encoder
from mtbert.training import run as module
from mtbert.training.run import plan


@pytest.fixture(autouse=True)
def no_data_folder_from_outside(monkeypatch):
    monkeypatch.delenv("MTBERT_DATA", raising=False)


def test_a_run_folder_holds_what_is_promised(finished):
    files = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    model = ["config.json", "model.safetensors", "tokenizer.json", "README.md", "mtbert.json"]
    predictions = [f"predictions/{task}-dev.jsonl" for task in ("sst", "para", "sts")]
    promised = {"config.yaml", "metrics.jsonl", "summary.json", *predictions}
    assert promised | {f"model/{name}" for name in model} <= files
    assert not [f for f in files if f.endswith((".bin", ".pt", ".pkl", ".partial"))]
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    keys = ["dev", "overall", "mean", "best_epoch", "seconds", "tokens_per_second", "seed"]
    assert set(keys) <= set(summary)
    assert list(summary["dev"]["sst"])[:2] == ["accuracy", "f1"]
    assert list(summary["dev"]["sts"])[:2] == ["pearson", "spearman"]
    assert {r["kind"] for r in records(finished)} == {"train", "dev"}
    first = json.loads((finished / "predictions" / "sst-dev.jsonl").read_text().splitlines()[0])
    assert {"id", "gold", "prediction", "probabilities"} <= set(first)


def test_transformers_reads_the_model_without_a_missing_weight(finished):
    from transformers import AutoModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, info = AutoModel.from_pretrained(finished / "model", output_loading_info=True)
    assert not any(info.values())
    ours = load_encoder(str(finished / "model"))
    ids = torch.tensor([[2, 5, 7, 9, 3]])
    with torch.no_grad():
        for a, b in zip(theirs.eval()(ids)[:2], ours(ids), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_the_model_folder_names_no_path_of_this_machine(toy, finished):
    for file in (finished / "model").iterdir():
        if file.suffix in (".json", ".md"):
            assert str(toy.folder) not in file.read_text("utf-8")


def test_the_configuration_of_a_run_gives_the_same_run_again(finished, tmp_path):
    module.train(load_config(str(finished / "config.yaml")), tmp_path / "again")
    assert model_bytes(tmp_path / "again") == model_bytes(finished)
    for name in ("metrics.jsonl", "config.yaml", "predictions/sts-dev.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (finished / name).read_bytes()


def test_every_kind_of_setting_runs_in_one_run(toy, tmp_path):
    write_rows(tmp_path / "more.csv", "sst", 4, seed=9)
    tree = toy.tree(training={"batching": "method2", "surgery": "pcgrad", "accumulate": 3})
    tasks = tree["tasks"]
    more = str(tmp_path / "more.csv")
    tasks["sst"] |= {"class_weights": "balanced", "batch_size": 2, "loss_weight": 0.5}
    tasks["sst"]["dev"] = {"own": "sst-dev.csv", "more": more}
    tasks["para"] |= {"loss": "binary_cross_entropy", "class_weights": [1, 2], "test": None}
    tasks["sts"] |= {"loss": "binary_cross_entropy", "features": "cosine"}
    tasks["sts"] |= {"pair_encoding": "separately"}
    tasks["film"] = {"kind": "classification", "labels": ["bad", "good"], "uses": "sst"}
    tasks["film"]["dev"] = more
    training = tree["training"] | {"deterministic": True, "group_by_length": True}
    summary = toy.train(tmp_path / "run", tasks=tasks, training=training)
    assert set(summary["dev"]) == {"sst", "para", "sts", "film"}
    assert summary["others"] == {"sst/more": summary["dev"]["film"]}
    assert summary["overall"] == summary["mean"]
    assert summary["steps"] == 2 * 8  # 16 examples of sst in batches of 2
    assert summary["examples"]["film/dev"] == summary["examples"]["sst/more"] == 4
    names = {p.name for p in (tmp_path / "run" / "predictions").iterdir()}
    expected = ["sst", "para", "sts", "film", "sst-more"]
    assert names == {f"{name}-dev.jsonl" for name in expected}
    found = evaluate_run(tmp_path / "run", "dev")
    assert found["dev"]["film"] == pytest.approx(summary["dev"]["film"])


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_pairs_in_both_orders_are_trained_and_answered_in_both(toy, tmp_path, mode):
    losses, answers = {}, {}
    for encoding in ("both_orders", "jointly"):
        tasks = toy.tree("sts")["tasks"]
        tasks["sts"]["pair_encoding"] = encoding
        toy.train(tmp_path / encoding, tasks=tasks, encoder={"mode": mode})
        model = MultitaskModel.from_pretrained(str(tmp_path / encoding))
        pairs = [("good film", "bad bad moon"), ("the cat", "a film a film")]
        one, other = (model.predict("sts", p) for p in (pairs, [pair[::-1] for pair in pairs]))
        answers[encoding] = max(abs(a.value - b.value) for a, b in zip(one, other, strict=True))
        losses[encoding] = records(tmp_path / encoding)[0]["loss"]["sts"]
    assert answers["both_orders"] < 1e-5 < 1e-4 < answers["jointly"]
    assert losses["both_orders"] != losses["jointly"]


def test_the_plan_writes_nothing(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = plan(toy.settings(encoder={"mode": "frozen"}))
    assert "0 of its parameters learn" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["", "model"])
def test_a_runs_model_can_start_another_run(toy, finished, tmp_path, part):
    encoder = {"path": str(finished / part)}
    assert toy.train(tmp_path / "run", "sst", encoder=encoder)["steps"] == 8


def test_a_run_without_data_folder_can_be_resumed_and_evaluated(toy, tmp_path):
    """Files given by absolute names need no data.dir, in the first call nor in later ones."""
    names = {split: str(toy.folder / f"sst-{split}.csv") for split in ("train", "dev", "test")}
    overrides = [f"tasks.sst.{split}={path}" for split, path in names.items()]
    overrides += [f"encoder.path={toy.encoder}", "encoder.max_length=16", "training.epochs=1"]
    overrides += ["tasks.sst.labels=[bad, good]", "tasks.sst.columns.label=label"]
    settings = load_config("sst-single", overrides)
    module.train(settings, tmp_path / "run")
    module.train(settings, tmp_path / "run", resume=True)
    assert set(evaluate_run(tmp_path / "run", "dev")["dev"]) == {"sst"}


def test_a_relative_data_folder_from_the_environment_stays_where_it_was(toy, tmp_path, monkeypatch):
    shutil.copytree(toy.folder, tmp_path / "data")
    file = toy.config(tmp_path / "run.yaml", "sst", data={})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTBERT_DATA", "data")
    settings = load_config(str(file))
    module.train(settings, Path("runs/one"))
    module.train(settings, Path("runs/one"), resume=True)
    monkeypatch.chdir("runs")
    assert evaluate_run(Path("one"), "dev")["dev"]


def test_a_second_run_takes_tokens_from_the_cache_and_is_the_same(toy, tmp_path, caplog):
    """Nothing of a run tells whether the cache helped: not its log, not its files."""
    for name in ("sst-train.csv", "sst-dev.csv"):
        shutil.copy(toy.folder / name, tmp_path / name)
    with (tmp_path / "sst-dev.csv").open("a", encoding="utf-8") as dev:
        dev.write("x" + (toy.folder / "sst-train.csv").read_text("utf-8").splitlines()[3] + "\n")
        dev.write("y,no label at all,\n")
    tree = toy.tree("sst", data={"dir": str(tmp_path), "cache": str(tmp_path / "cache")})
    tree["tasks"]["sst"]["on_bad_rows"] = "skip"
    told, summaries = [], []
    for name, cache in (("without", False), ("miss", True), ("hit", True)):
        data = tree["data"] if cache else {"dir": str(tmp_path), "cache": False}
        caplog.clear()
        summaries.append(toy.train(tmp_path / name, **tree | {"data": data}))
        found = [r for r in caplog.records if r.levelname == "WARNING"]
        told.append([r.message for r in found if r.name == "mtbert.data.tasks"])
        assert len(list((tmp_path / "cache").glob("*"))) == (2 if cache else 0)
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 2
    for key in ("examples", "skipped_rows", "unlabelled_rows", "truncated", "leaks", "dev"):
        assert summaries[0][key] == summaries[1][key] == summaries[2][key]
    assert summaries[0]["leaks"] == {"sst": {"dev": 1}}
    assert summaries[0]["skipped_rows"] == {"sst/train": 0, "sst/dev": 1}
    for name in ("miss", "hit"):
        assert_same_run(tmp_path / "without", tmp_path / name)


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_deterministic_run_repeats_itself_bit_for_bit(toy, tmp_path, mode, precision):
    training = {
        "deterministic": True, "precision": precision, "batching": "continued", "accumulate": 2,
        "surgery": "none" if mode == "frozen" else "pcgrad", "clip": 1.0, "weight_decay": 0.01,
    }  # fmt: skip
    try:
        for name in ("a", "b"):
            torch.rand(3)  # the global random state is no part of a run
            toy.train(tmp_path / name, training=training, encoder={"mode": mode}, seed=11)
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same_run(tmp_path / "a", tmp_path / "b")


def assert_same_run(first, second):
    """Weights, metrics and predictions, byte for byte; clocks stand in summary.json alone."""
    assert model_bytes(first) == model_bytes(second)
    names = ["metrics.jsonl", *(f"predictions/{p.name}" for p in (first / "predictions").iterdir())]
    assert len(names) > 1
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
