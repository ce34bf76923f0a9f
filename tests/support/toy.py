"""A toy world for whole runs: a tiny encoder, learnable data of three tasks, runs of a second."""

import json
import logging
import random
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Generator

from mtbert.cli import main
from mtbert.config.load import parse_settings
from mtbert.io.manifest import MANIFEST
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.training import run

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NOUNS = ["film", "actor", "plot", "music", "cat", "dog", "bird", "sun", "moon", "sea"]
WORDS = ["good", "bad", "the", "a", *NOUNS]

TASKS = {
    "sst": {
        "kind": "classification",
        "labels": ["bad", "good"],
        "train": "sst-train.csv",
        "dev": "sst-dev.csv",
        "test": "sst-test.csv",
        "head": "cls",
    },
    "para": {
        "kind": "pair_classification",
        "train": "para-train.csv",
        "dev": "para-dev.csv",
        "head": "mean",
        "pair_encoding": "separately",
        "features": "uv_absdiff_product",
    },
    "sts": {
        "kind": "pair_regression",
        "range": [0, 5],
        "train": "sts-train.csv",
        "dev": "sts-dev.csv",
        "head": "pooled",
        "pair_encoding": "both_orders",
    },
}
TIMES = {
    "seconds", "step_seconds", "step_cpu_seconds", "evaluation_seconds", "encoding_seconds",
    "run_seconds", "tokens_per_second",
}  # fmt: skip
ROWS = {"sst": 16, "para": 12, "sts": 20}  # training examples; half as many in dev


class Toy:
    """Files below one folder, and runs on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoder = write_encoder(folder / "encoder")
        for task, rows in ROWS.items():
            write_rows(folder / f"{task}-train.csv", task, rows, seed=1)
            write_rows(folder / f"{task}-dev.csv", task, rows // 2, seed=2)
        write_rows(folder / "sst-test.csv", "sst", 5, seed=3, labelled=False)

    def tree(self, *tasks, training=None, encoder=None, **rest):
        """A configuration as plain values; without names all three tasks."""
        return {
            "device": "cpu",
            "data": {"dir": str(self.folder)},
            "encoder": {"path": str(self.encoder), "max_length": 16, **(encoder or {})},
            "tasks": {name: dict(TASKS[name]) for name in tasks or TASKS},
            "training": {
                "epochs": 2,
                "batch_size": 4,
                "learning_rate": 1e-3,
                "head_learning_rate": None,
                "schedule": "constant",
                "warmup": 0.0,
                "weight_decay": 0.0,
                "clip": None,
                "batching": "method3",
                "select": "sum",
                "checkpoint_every": None,
                "precision": "fp32",
                "log_every": 1,
                **(training or {}),
            },
            **rest,
        }

    def settings(self, *tasks, **changes):
        return parse_settings(self.tree(*tasks, **changes), "toy")

    def config(self, file, *tasks, **changes):
        """Write the configuration to a file (JSON is YAML)."""
        file.write_text(json.dumps(self.tree(*tasks, **changes)), encoding="utf-8")
        return file

    def train(self, output, *tasks, resume=False, **changes):
        """A whole run; returns its summary."""
        return run.train(self.settings(*tasks, **changes), output, resume=resume)


def write_encoder(folder: Path, words=WORDS, **sizes) -> Path:
    """A random encoder with a vocabulary of a few words."""
    tokens = [*SPECIAL, *words]
    config = EncoderConfig(
        **{
            "vocab_size": len(tokens),
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 32,
            **sizes,
        }
    )
    encoder = BertEncoder(config)
    generator = Generator().manual_seed(5)
    encoder.initialise(generator)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    encoder.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def write_rows(file: Path, task: str, rows: int, *, seed: int, labelled: bool = True) -> Path:
    """Rows whose label follows from the words; those of different seeds share no text."""
    source = random.Random(f"{task} {seed}")
    article = {1: "the", 2: "a"}.get(seed, f"the {WORDS[seed]}")
    lines = ["id,sentence,label" if task == "sst" else "id,sentence1,sentence2,label"]
    if not labelled:
        lines[0] = lines[0].removesuffix(",label")
    for i in range(rows):
        nouns = source.sample(NOUNS, 4)
        if task == "sst":
            label = ["bad", "good"][i % 2]
            cells = [f"{article} {label} {nouns[0]}"]
        elif task == "para":
            other = nouns[0] if i % 2 else nouns[1]
            cells, label = [f"{article} {nouns[0]}", f"{article} {other}"], str(i % 2)
        else:
            shared = i % 3
            second = nouns[:shared] + source.sample([n for n in NOUNS if n not in nouns], 2)
            cells, label = [" ".join(nouns[:2]), " ".join(second[:2])], str(shared * 2.5)
        lines.append(",".join([f"{task}{i}", *cells, *([label] if labelled else [])]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def records(output: Path, kind: str | None = None):
    """The lines of a run's metrics.jsonl, all or of one kind."""
    lines = (output / "metrics.jsonl").read_text("utf-8").splitlines()
    return [r for r in map(json.loads, lines) if kind in (None, r["kind"])]


def model_bytes(output: Path):
    """The weights of a run's model as they lie on disk."""
    names = ("model.safetensors", "heads.safetensors", "own.safetensors")
    files = {name: output / "model" / name for name in names}
    return {name: file.read_bytes() for name, file in files.items() if file.exists()}


def copy_model(run: Path, folder: Path) -> Path:
    """A copy of a run's model without the sums of its files: damage comes to the readers."""
    folder.mkdir()
    for file in (run / "model").iterdir():
        if file.name != MANIFEST:
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def results(output: Path):
    """Everything that a run leaves, but for the times: what an exact resume must reproduce."""
    summary = json.loads((output / "summary.json").read_text("utf-8"))
    texts = [output / "metrics.jsonl", *sorted((output / "predictions").iterdir())]
    saved = (output / "checkpoints").glob("step-*")  # none if it stops early in the first epoch
    newest = max(saved, key=lambda p: int(p.name[5:]), default=None)
    state = {} if newest is None else json.loads((newest / "state.json").read_text("utf-8"))
    tensors = [] if newest is None else newest.glob("*.safetensors")
    return {
        "model": model_bytes(output),
        "checkpoint": {p.name: p.read_bytes() for p in tensors},
        "state": {key: value for key, value in state.items() if key not in TIMES},
        "texts": {file.name: file.read_text("utf-8") for file in texts},
        "summary": {key: value for key, value in summary.items() if key not in TIMES},
    }


@contextmanager
def command_line(folder: Path):
    """Work in a folder, without MTBERT_DATA; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MTBERT_DATA", raising=False)
        patch.chdir(folder)
        yield
    root.handlers[:] = handlers
    root.setLevel(level)


def assert_refused(capsys, folder: Path, told: str, *arguments):
    """A command gives exit code 2 and one message that holds `told`, and changes no file."""
    before = files_below(folder)
    capsys.readouterr()
    code = main(["--quiet", *map(str, arguments)])
    err = capsys.readouterr().err
    assert code == 2, err
    assert err.startswith("mtbert: "), err
    assert err.count("mtbert: ") == 1, err
    assert told in err
    assert "Traceback" not in err
    assert files_below(folder) == before


def files_below(folder: Path):
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}
