"""Broken encoder, run and checkpoint folders are refused as test_bad_input.py tells."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.toy import write_encoder

from mtbert.io.hashing import file_sha256
from mtbert.io.manifest import MANIFEST
from mtbert.runs import checkpoint


def edit_json(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes))


def edit_tensors(file, change):
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


POOLER = "pooler.dense.weight"
WEIGHTS = "model.safetensors"
ENCODERS = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json: no such file"),
    "torn config": (lambda f: half(f / "config.json"), "config.json: damaged"),
    "list": (lambda f: (f / "config.json").write_text("[]"), "expected a JSON object, found list"),
    "other": (
        lambda f: edit_json(f / "config.json", model_type="roberta"),
        "config.json: architecture 'roberta' is not supported",
    ),
    "heads": (
        lambda f: edit_json(f / "config.json", num_attention_heads=3),
        "hidden_size 16 does not divide by 3 heads",
    ),
    "string": (lambda f: edit_json(f / "config.json", hidden_size="16"), "hidden_size '16'"),
    "huge": (lambda f: edit_json(f / "config.json", hidden_size=1 << 40), "hidden_size 10995"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "no model.safetensors"),
    "torn weights": (lambda f: half(f / WEIGHTS), "not a valid safetensors file"),
    "huge header": (
        lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 64),
        "not a valid safetensors file",
    ),
    "pickle": (
        lambda f: (f / WEIGHTS).write_bytes(pickle.dumps({"a": 1})),
        "not a valid safetensors file",
    ),
    "old file": (
        lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin"),
        "turn the old file into it with: mtbert convert",
    ),
    "missing": (
        lambda f: edit_tensors(f / WEIGHTS, lambda t: t.pop("embeddings.LayerNorm.bias")),
        "embeddings.LayerNorm.bias: missing",
    ),
    "further": (
        lambda f: edit_tensors(f / WEIGHTS, lambda t: t.update(extra=torch.ones(1))),
        "extra: unexpected",
    ),
    "shape": (
        lambda f: edit_tensors(f / WEIGHTS, lambda t: t.update({POOLER: torch.ones(16, 8)})),
        "shape [16, 8], expected [16, 16]",
    ),
    "whole numbers": (
        lambda f: edit_tensors(f / WEIGHTS, lambda t: t.update({POOLER: t[POOLER].int()})),
        "expected floating point",
    ),
    "no vocabulary": (lambda f: (f / "vocab.txt").unlink(), "no tokenizer.json and no vocab.txt"),
    "no [CLS]": (
        lambda f: (f / "vocab.txt").write_text("[PAD]\n[UNK]\n[SEP]\nfilm\n"),
        "the tokenizer cannot be read",
    ),
    "tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{"),
        "the tokenizer cannot be read",
    ),
    "words": (
        lambda f: (f / "vocab.txt").write_text((f / "vocab.txt").read_text() + "more\nwords\n"),
        "tokens, but the encoder",
    ),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_a_bad_encoder_folder_is_refused(toy, tmp_path, refuse, name):
    damage, told = ENCODERS[name]
    damage(write_encoder(tmp_path / "encoder"))
    config = toy.config(tmp_path / "c.yaml", "sst")
    refuse(told, "train", config, "encoder.path=encoder", "--output", "out")


def unfinish(run):
    """A run that stopped after its last checkpoint."""
    (run / "summary.json").unlink()
    return next((run / "checkpoints").iterdir())


def newer_checkpoint(run):
    folder = unfinish(run)
    edit_json(folder / "state.json", format=2)
    files = {name: folder / name for name in json.loads((folder / "manifest.json").read_text())}
    sums = {n: [f.stat().st_size, file_sha256(f)] for n, f in files.items()}
    (folder / "manifest.json").write_text(json.dumps(sums))


EVALUATE = ("evaluate", "run")
REPORT = ("report", "run")
RESUME = ("train", "run/config.yaml", "--output", "run", "--resume")
BOARD = ("leaderboard", "run", "--data", "data", "--output", "out")
RUNS = {
    "no config": (lambda r: (r / "config.yaml").unlink(), EVALUATE, "no config.yaml in it"),
    "torn config": (lambda r: half(r / "config.yaml"), EVALUATE, "config.yaml"),
    "no model": (lambda r: shutil.rmtree(r / "model"), EVALUATE, "its model was deleted"),
    "torn model": (lambda r: half(r / "model/mtbert.json"), EVALUATE, "mtbert.json: damaged"),
    "newer model": (lambda r: edit_json(r / "model/mtbert.json", format=4), EVALUATE, "format 4"),
    "list": (lambda r: edit_json(r / "model/mtbert.json", tasks=[]), EVALUATE, "damaged"),
    "no tasks": (lambda r: edit_json(r / "model/mtbert.json", tasks={}), EVALUATE, "mtbert.json"),
    "no heads": (
        lambda r: (r / "model/heads.safetensors").unlink(),
        EVALUATE,
        "heads.safetensors: no such file",
    ),
    "torn heads": (
        lambda r: half(r / "model/heads.safetensors"),
        EVALUATE,
        "heads.safetensors: not a valid safetensors file",
    ),
    "a head less": (
        lambda r: edit_tensors(r / "model/heads.safetensors", lambda t: t.pop("sst.linear.bias")),
        EVALUATE,
        "sst.linear.bias: missing",
    ),
    "torn summary": (lambda r: half(r / "summary.json"), REPORT, "summary.json: damaged"),
    "no metrics": (lambda r: (r / "metrics.jsonl").unlink(), REPORT, "metrics.jsonl"),
    "no summary": (lambda r: (r / "summary.json").unlink(), REPORT, "no finished run"),
    "list summary": (lambda r: (r / "summary.json").write_text("[]"), BOARD, "summary.json"),
    "torn checkpoint": (
        lambda r: half(unfinish(r) / "weights.safetensors"),
        RESUME,
        "weights.safetensors is missing or damaged",
    ),
    "no manifest": (
        lambda r: (unfinish(r) / "manifest.json").unlink(),
        RESUME,
        "no whole checkpoint",
    ),
    "newer checkpoint": (newer_checkpoint, RESUME, "checkpoint format 2, this mtbert reads 1"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_bad_run_folder_is_refused(finished, tmp_path, refuse, name, monkeypatch):
    damage, command, told = RUNS[name]
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "model" / MANIFEST).unlink()  # would tell of all damage to the model first
    damage(tmp_path / "run")
    monkeypatch.setattr(checkpoint._log, "disabled", True)  # names damage in a warning first
    refuse(told, *command)
