"""What is fuzzed: for each target a strategy of inputs and an attempt on one of them."""

import gzip
import hashlib
import io
import itertools
import json
import math
import shutil
import struct
from functools import partial

import numpy as np
from fuzz.odd import HUGE, VALUES, any_text, as_json, damaged, damaged_tree, seeds, soups
from hypothesis import strategies as st
from support.harness import outcome, same_twice
from support.toy import TASKS

from mtbert.commands.predict import predict_file
from mtbert.config.load import load_config, parse_settings
from mtbert.config.tasks import TaskSettings
from mtbert.config.yaml import dump_yaml
from mtbert.data.examples import parse_rows
from mtbert.data.readers.table import read_table
from mtbert.data.tokenizer import Tokenizer
from mtbert.inference.model import MultitaskModel
from mtbert.inference.predict import predict_stream
from mtbert.io.manifest import MANIFEST, write_manifest
from mtbert.model.encoders.config import read_config
from mtbert.model.tensors import read_tensors
from mtbert.reports.runs import read_runs
from mtbert.runs import checkpoint

TABLES = [
    b"id,sentence,label\na,good film,good\nb,\"two\nlines, quoted\",bad\n",
    b"\tid\tsentence1\tsentence2\tlabel\n0\ta\tthe film\tits plot\t2.5\n1\tb\tx\ty\t0\n",
    b'{"id": 1, "sentence": "good film", "label": "good"}\n{"sentence": "bad", "label": 0}\n',
    "id,sentence1,sentence2,label\r\né,שלום,日本 😀,1\r\n".encode("utf-8-sig"),
    b'[\n{"id": 1, "sentence": "good film", "label": "good"},\n{"sentence": "bad", "label": 0}]',
    b'{"sentence": {"0": "good film", "1": "bad"}, "label": {"0": 1, "1": 0}}',
    gzip.compress(b"id,sentence,label\na,good film,good\nb,x,bad\n", mtime=0),
]  # fmt: skip
CONFIGS = [
    b"seed: 3\ntasks:\n  a: {kind: classification, labels: [bad, good], train: t, dev: d}\n",
    b"data: {dir: packaged}\ntraining:\n  epochs: 2\n  select: s.pearson\n"
    b"tasks:\n  s:\n    kind: pair_regression\n    range: [0, 5]\n    train: t\n    dev: {x: d}\n",
]
TREE = {
    "seed": 1,
    "device": "cpu",
    "threads": 2,
    "data": {"dir": "/data"},
    "encoder": {"path": "packaged", "revision": "main", "mode": "finetune", "max_length": 64},
    "tasks": {**TASKS, "more": {"kind": "regression", "uses": "sts", "dev": "d", "columns": {}}},
    "training": {
        "epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "schedule": "linear", "warmup": 0.1,
        "clip": 1.0, "batching": "method3", "surgery": "pcgrad", "select": "sum", "patience": 2,
    },
}  # fmt: skip
OVERRIDES = [
    "seed=3", "training.epochs=2", "training.learning_rate=1e-3", "tasks.a.labels=[x, y]",
    "encoder.path=packaged", "data.dir=/data", "tasks.a.dev={x: y}", "tasks.b.kind=regression",
]  # fmt: skip
SINGLE = TaskSettings(kind="classification", labels=("bad", "good"), train="t")
PAIR = TaskSettings(kind="pair_regression", range=(0, 5), train="t")

documents = soups | st.builds(damaged, st.sampled_from(TABLES), seeds)
table_names = st.sampled_from(["rows.csv", "rows.jsonl", "rows.json", "standard input"])


class World:
    """The files that targets damage copies of."""

    def __init__(self, folder, toy, run):
        self.folder = folder
        self.toy = toy
        self.run = run
        self.file = folder / "file"
        self.model = MultitaskModel.from_pretrained(run)
        self.tokenizer = json.loads((run / "model" / "tokenizer.json").read_text("utf-8"))
        self.heads = (run / "model" / "heads.safetensors").read_bytes()
        self.config = json.loads((run / "model" / "config.json").read_text("utf-8"))
        self.summary = json.loads((run / "summary.json").read_text("utf-8"))
        self.metrics = (run / "metrics.jsonl").read_bytes()
        self.checkpoint = next((run / "checkpoints").iterdir())
        for name in ("copy", "report", "tokenizer"):
            (folder / name).mkdir()


def tables(world, value):
    """CSV, TSV and JSONL: examples whose texts are Unicode and whose labels are the task's."""
    raw, name, task, labelled = value

    def read():
        rows = list(parse_rows(read_table(io.BytesIO(raw), name), task, labelled=labelled))
        for row in rows:
            if not isinstance(row, str):
                assert all(text.encode("utf-8") is not None for text in row.texts)
                low, high = task.range or (0, 1)
                assert row.label is None or low <= row.label <= high
        return rows

    return same_twice(read)


def yaml_files(world, raw):
    """A configuration's text: settings that read back equal when they are written."""
    world.file.write_bytes(raw)

    def read():
        settings = load_config(str(world.file))
        again = world.folder / "again.yaml"
        again.write_text(dump_yaml(settings), encoding="utf-8")
        assert load_config(str(again)) == settings
        return settings

    return same_twice(read)


def setting_trees(world, seed):
    """A configuration's values."""
    tree = damaged_tree(TREE, seed)
    return same_twice(lambda: parse_settings(tree, "tree"))


def overrides(world, texts):
    """KEY=VALUE on the command line."""
    world.file.write_bytes(CONFIGS[0])
    return same_twice(lambda: load_config(str(world.file), texts))


def tensor_headers(world, value):
    """A safetensors file of odd names, types, shapes and offsets."""
    header, size, seed, data = value
    raw = as_json(header)
    if seed % 2:
        raw = damaged(raw, seed)
    world.file.write_bytes(struct.pack("<Q", (len(raw) + size) % 2**64) + raw + data)
    return _read_tensors(world)


def tensor_files(world, seed):
    """A good safetensors file, damaged."""
    world.file.write_bytes(damaged(world.heads, seed))
    return _read_tensors(world)


def encoder_configs(world, seed):
    """config.json: sizes that are numbers within their limits."""
    world.file.write_bytes(_damaged_json(world.config, seed))

    def read():
        config = read_config(world.file)
        assert 1 <= config.hidden_size <= 65_536
        assert config.hidden_size % config.num_attention_heads == 0
        assert math.isfinite(config.initializer_range)
        return config

    return same_twice(read)


def tokenizer_files(world, value):
    """tokenizer.json: a tokenizer whose ids are below its size for any text."""
    seed, text = value
    folder = world.folder / "tokenizer"
    (folder / "tokenizer.json").write_bytes(_damaged_json(world.tokenizer, seed))

    def read():
        tokenizer = Tokenizer.from_folder(folder)
        ids = tokenizer.encode([text])[0]
        assert all(0 <= i < tokenizer.vocabulary_size for i in ids)
        return ids.tolist()

    return same_twice(read)


def texts(world, value):
    """Any text: the same ids alone and in company, and a finite answer for it."""
    text, other = value
    tokenizer, model = world.model.tokenizer, world.model
    alone = tokenizer.encode([text])[0].tolist()
    assert tokenizer.encode([other, text, other])[1].tolist() == alone
    kind, answers = same_twice(lambda: model.predict("sst", [text]))
    assert kind == "value"
    assert np.isfinite(answers[0].score)
    return outcome(lambda: model.predict("sts", [(other, text)]))


def model_folders(world, value):
    """A model folder with one damaged file: refused, or it answers.

    Without the sums of its files, so that the damage comes to the readers; or with sums that
    vouch for it, or are themselves what is damaged.
    """
    name, seed, as_tree, vouched = value
    folder = world.folder / "copy"
    _copy_files(world.run / "model", folder)
    file = folder / name
    if as_tree and name.endswith(".json"):
        file.write_bytes(_damaged_json(json.loads(file.read_text("utf-8")), seed))
    else:
        file.write_bytes(damaged(file.read_bytes(), seed))
    if vouched and name != MANIFEST:
        write_manifest(folder)
    elif name != MANIFEST:
        (folder / MANIFEST).unlink()

    def answer():
        model = MultitaskModel.from_pretrained(folder)
        answers = []
        for task, settings in model.network.tasks.items():
            part = ("a film", "good 😀") if settings.kind.is_pair else "a good film"
            answers += model.predict(task, [part])
        assert all(np.isfinite(a.score) for a in answers)
        return answers

    return same_twice(answer)


def checkpoints(world, value):
    """A checkpoint with one damaged file, with and without a manifest that vouches for it."""
    name, seed, as_tree, vouched = value
    folder = world.folder / "copy" / "checkpoints" / "step-00000001"
    folder.mkdir(parents=True, exist_ok=True)
    _copy_files(world.checkpoint, folder)
    file = folder / name
    if as_tree and name.endswith(".json"):
        file.write_bytes(_damaged_json(json.loads(file.read_text("utf-8")), seed))
    else:
        file.write_bytes(damaged(file.read_bytes(), seed))
    if vouched and name != "manifest.json":
        sums = {
            f.name: [f.stat().st_size, hashlib.sha256(f.read_bytes()).hexdigest()]
            for f in folder.iterdir()
            if f.name != "manifest.json"
        }
        (folder / "manifest.json").write_text(json.dumps(sums))
    return outcome(lambda: checkpoint.load_newest(folder.parent))


def reports(world, value):
    """summary.json and metrics.jsonl of runs that a report is made of."""
    seed, of_metrics = value
    folder = world.folder / "report"
    metrics = damaged(world.metrics, seed) if of_metrics else world.metrics
    summary = as_json(world.summary) if of_metrics else _damaged_json(world.summary, seed)
    (folder / "metrics.jsonl").write_bytes(metrics)
    (folder / "summary.json").write_bytes(summary)
    return outcome(lambda: read_runs(folder))


def streams(world, value):
    """Rows to predict, straight through a model: as many answers as rows, all numbers."""
    raw, name = value
    task = world.model.network.tasks["sst"]
    table = partial(read_table, io.BytesIO(raw), name)

    def answer():
        rows = parse_rows(table(), task, labelled=False)
        good = itertools.takewhile(lambda row: not isinstance(row, str), rows)
        model = world.model
        found = predict_stream(model.network, "sst", good, model.tokenizer, model.max_length)
        return [answer.score for _, answer in found]

    kind, scores = outcome(answer)
    assert kind == "refused" or np.isfinite(scores).all()
    return kind, scores


def commands(world, raw):
    """`mtbert predict` on a file: a complete file of answers, or none."""
    world.file.write_bytes(raw)
    output = world.folder / "answers.jsonl"
    output.unlink(missing_ok=True)
    result = outcome(lambda: predict_file(world.run, "sst", str(world.file), output))
    assert output.exists() == (result[0] == "value")
    if output.exists():
        for line in output.read_text("utf-8").splitlines():
            assert math.isfinite(json.loads(line)["score"])
    return result


def _read_tensors(world):
    def read():
        tensors = read_tensors(world.file)
        held = sum(t.numel() * t.element_size() for t in tensors.values())
        assert held <= world.file.stat().st_size
        return sorted((name, t.dtype, tuple(t.shape)) for name, t in tensors.items())

    return same_twice(read)


def _damaged_json(tree, seed):
    raw = as_json(damaged_tree(tree, seed))
    return damaged(raw, seed) if seed % 5 == 0 else raw


def _copy_files(source, target):
    for file in source.iterdir():
        if file.is_file():
            shutil.copyfile(file, target / file.name)


dtypes = st.sampled_from(["F32", "F64", "BF16", "F8_E4M3", "F4", "I64", "BOOL", "C64", "X", "", 7])
numbers = st.one_of(
    st.integers(-2, 40),
    st.sampled_from([2**31, 2**62, 2**63, 2**64 - 1, 2**64, -(2**63), 1e300, 0.5, None, HUGE]),
)
entries = st.one_of(
    st.fixed_dictionaries(
        {
            "dtype": dtypes,
            "shape": st.lists(numbers, max_size=4),
            "data_offsets": st.lists(numbers, min_size=2, max_size=2),
        },
        optional={"more": numbers},
    ),
    st.builds(
        lambda size, start: {
            "dtype": "F32", "shape": [size], "data_offsets": [start * 4, (start + size) * 4]
        },
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    st.sampled_from(VALUES),
)  # fmt: skip
headers = st.tuples(
    st.dictionaries(st.sampled_from(["a", "b", "", "__metadata__", "../x", "😀"]), entries),
    st.sampled_from([0] * 6 + [-1, 1, 2**32, 2**63, -(10**3)]),
    seeds,
    st.binary(max_size=40),
)
MODEL_FILES = [
    "config.json", "mtbert.json", "tokenizer.json", "heads.safetensors", "model.safetensors",
    MANIFEST,
]  # fmt: skip
CHECKPOINT_FILES = [
    "manifest.json", "state.json", "weights.safetensors", "moments.safetensors",
]  # fmt: skip
override_texts = st.lists(
    st.sampled_from(OVERRIDES)
    | st.builds(
        lambda text, seed: damaged(text.encode(), seed).decode("utf-8", "surrogateescape"),
        st.sampled_from(OVERRIDES),
        seeds,
    ),
    max_size=3,
)

# target: strategy, attempt, inputs in the normal suite, inputs in the long one
TARGETS = {
    "tables": (
        st.tuples(documents, table_names, st.sampled_from([SINGLE, PAIR]), st.booleans()),
        tables, 400, 32_000,
    ),
    "yaml": (soups | st.builds(damaged, st.sampled_from(CONFIGS), seeds), yaml_files, 150, 8_000),
    "settings": (seeds, setting_trees, 300, 16_000),
    "overrides": (override_texts, overrides, 100, 4_000),
    "tensor headers": (headers, tensor_headers, 400, 12_000),
    "tensor files": (seeds, tensor_files, 300, 8_000),
    "config.json": (seeds, encoder_configs, 300, 8_000),
    "tokenizer.json": (st.tuples(seeds, any_text), tokenizer_files, 200, 8_000),
    "texts": (st.tuples(any_text, any_text), texts, 100, 2_500),
    "streams": (st.tuples(documents, table_names), streams, 100, 2_000),
    "predict": (documents, commands, 20, 300),
    "model folders": (
        st.tuples(st.sampled_from(MODEL_FILES), seeds, st.booleans(), st.booleans()),
        model_folders, 50, 2_000,
    ),
    "checkpoints": (
        st.tuples(st.sampled_from(CHECKPOINT_FILES), seeds, st.booleans(), st.booleans()),
        checkpoints, 100, 3_000,
    ),
    "reports": (st.tuples(seeds, st.booleans()), reports, 150, 4_000),
}  # fmt: skip
