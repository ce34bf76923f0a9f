"""What changes between a stop and --resume: refused, or honoured and reported; never ignored."""

import logging
import typing

import pytest
from pydantic import BaseModel
from support import methods
from support.stops import stopped_run
from support.toy import TASKS

from mtbert.config.columns import ColumnSettings
from mtbert.config.load import load_config, parse_settings
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError
from mtbert.methods.base import Method
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance

OTHER = {
    "seed": 2,
    "device": "auto",
    "threads": 3,
    "data.cache": "/elsewhere",
    "data.dir": "/elsewhere",
    "data.split_seed": 2,
    "encoder.path": "packaged",
    "encoder.revision": "main",
    "encoder.mode": "heads_first",
    "encoder.heads": "keep",
    "encoder.heads_first_epochs": 2,
    "encoder.max_length": 12,
    "encoder.reinitialise": 1,
    "encoder.sharing": "top_layers",
    "tasks.sst.kind": "pair_classification",
    "tasks.sst.train": "other.csv",
    "tasks.sst.dev": "other.csv",
    "tasks.sst.test": "other.csv",
    "tasks.sst.uses": None,
    "tasks.sst.columns.id": "key",
    "tasks.sst.columns.text": "words",
    "tasks.sst.columns.text2": None,
    "tasks.sst.columns.joined_by": " ",
    "tasks.sst.columns.label": "class",
    "tasks.sst.format.separator": "pipe",
    "tasks.sst.format.quoting": "none",
    "tasks.sst.format.header": False,
    "tasks.sst.format.encoding": "latin-1",
    "tasks.sst.format.decimal": "comma",
    "tasks.sst.columns.labels": ["bad", "good"],
    "encoder.attention": "sdpa",
    "tasks.sst.labels": ["good", "bad"],
    "tasks.sst.label_separator": ";",
    "tasks.sst.threshold": 0.4,
    "tasks.sst.long_texts": "head_tail",
    "tasks.sst.max_windows": 2,
    "tasks.sts.range": [0, 6],
    "tasks.sst.loss": "mse",
    "tasks.sts.target": "raw",
    "tasks.sst.head": "mean",
    "tasks.sst.layers": 2,
    "tasks.sst.hidden_size": 4,
    "tasks.sst.hidden_activation": "gelu",
    "tasks.sts.features": "uv_absdiff_product",
    "tasks.sts.pair_encoding": "separately",
    "tasks.sst.dropout": 0.2,
    "tasks.sst.loss_weight": 2.0,
    "tasks.sst.batch_size": 3,
    "tasks.sst.class_weights": "balanced",
    "tasks.sst.on_bad_rows": "skip",
    "training.epochs": 3,
    "training.batch_size": 5,
    "training.learning_rate": 1e-4,
    "training.head_learning_rate": 1e-4,
    "training.schedule": "linear",
    "training.warmup": 0.1,
    "training.weight_decay": 0.1,
    "training.layer_decay": 0.9,
    "training.clip": 1.0,
    "training.average": 0.9,
    "training.batching": "method1",
    "training.group_by_length": True,
    "training.steps_per_epoch": 2,
    "training.surgery": "pcgrad",
    "training.surgery_every": 2,
    "training.weighting": "slopes",
    "training.precision": "bf16",
    "training.non_finite": "skip",
    "training.compile": "default",
    "training.deterministic": True,
    "training.select": "sst.f1",
    "training.evaluate_every": 2,
    "training.checkpoint_every": 2,
    "training.keep_checkpoints": 2,
    "training.patience": 2,
    "training.log_every": 2,
    "training.gradients_every": 2,
    "training.tensorboard": True,
    "card.language": ["en"],
    "card.license": "mit",
    "card.datasets": ["nyu-mll/glue"],
}
"""A value of every key that the toy configuration does not have."""

HONOURED = {"training.accumulate": "auto", "training.memory_limit": 10**12}
"""Keys that may change, for they decide how a step is computed and not what."""

MOVED = {
    "data.cache", "data.dir", "encoder.path", "encoder.revision",
    "tasks.sst.train", "tasks.sst.dev", "tasks.sst.test",
}  # fmt: skip
"""Keys that say where files are; what is in the files may not change."""

WITH_OTHERS = {"tasks.sst.uses": {"train": None, "uses": "para"}, "tasks.sst.columns.text2": {}}
"""Keys that cannot change alone; what changes is seen in the keys that change with them."""

_LABELS = {"kind": "multilabel_classification", "labels": ["bad", "good"]}
BESIDE = {
    "tasks.sst.columns.labels": _LABELS,
    "tasks.sst.label_separator": _LABELS,
    "tasks.sst.threshold": _LABELS,
    "tasks.sst.max_windows": {"long_texts": "windows"},
    "tasks.sst.hidden_activation": {"hidden_size": 4},
}
"""Settings of the task without which a key has no place; they stay what they are."""


@pytest.fixture(autouse=True)
def more_methods(monkeypatch):
    methods.install(monkeypatch)


@pytest.fixture
def stopped(toy, tmp_path, monkeypatch):
    return stopped_run(toy, tmp_path, monkeypatch)


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name == "tasks":
            yield from keys(TaskSettings, "tasks.sst.")
        elif (
            isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, Method)
        ):
            yield from keys(kind, f"{prefix}{name}.")
        else:
            assert typing.get_origin(kind) is not dict
            yield prefix + name


def test_the_table_holds_every_key():
    known = {key.replace("tasks.sts.", "tasks.sst.") for key in OTHER}
    assert known | set(HONOURED) == set(keys(Settings))
    assert {"id", "text"} < set(ColumnSettings.model_fields)


@pytest.mark.parametrize("key", sorted(OTHER.keys() - WITH_OTHERS.keys() - MOVED))
def test_a_changed_key_is_refused_by_name(toy, tmp_path, key):
    provenance = Provenance({}, {})
    tree = toy.tree()
    tree["tasks"]["sst"] |= BESIDE.get(key, {})
    started = parse_settings(tree, "started")
    RunFolder(tmp_path / "run", started, provenance, resume=False).close()
    before = {p: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    section = tree
    for part in key.split(".")[:-1]:
        section = section.setdefault(part, {})
    section[key.split(".")[-1]] = OTHER[key]
    changed = parse_settings(tree, "changed")
    with pytest.raises(UserError) as error:
        RunFolder(tmp_path / "run", changed, provenance, resume=True)
    assert f"{key}: " in str(error.value)
    assert ", now " in str(error.value)
    assert {p: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()} == before


@pytest.mark.parametrize("key", HONOURED)
def test_how_a_step_is_computed_may_change_which_is_reported_and_kept(
    stopped, toy, tmp_path, caplog, key
):
    name = key.removeprefix("training.")
    before = load_config(str(tmp_path / "run" / "config.yaml"))
    with caplog.at_level(logging.WARNING):
        summary = stopped(training={name: HONOURED[key]})
    assert summary["steps"] == 8
    old = getattr(before.training, name)
    assert f"other settings than before ({key}: {old!r}, now {HONOURED[key]!r})" in caplog.text
    found = load_config(str(tmp_path / "run" / "config.yaml"))
    assert getattr(found.training, name) == HONOURED[key]
    assert found.training.model_copy(update={name: old}) == before.training
    with pytest.raises(UserError, match=f"{key}: "):  # a finished run has nothing to go on with
        stopped()


@pytest.mark.parametrize("key", sorted(MOVED))
def test_where_files_are_may_change_if_they_are_the_same_files(toy, tmp_path, key):
    run, inputs = tmp_path / "run", {"tasks.sst.train": "a"}
    RunFolder(run, toy.settings(), Provenance(inputs, {}), resume=False).close()
    tree = toy.tree()
    section = tree
    for part in key.split(".")[:-1]:
        section = section.setdefault(part, {})
    section[key.split(".")[-1]] = OTHER[key]
    moved = parse_settings(tree, "moved")
    before = (run / "config.yaml").read_bytes()
    with pytest.raises(UserError, match="files changed since the run was started"):
        RunFolder(run, moved, Provenance({"tasks.sst.train": "b"}, {}), resume=True)
    assert (run / "config.yaml").read_bytes() == before
    RunFolder(run, moved, Provenance(inputs, {}), resume=True).close()
    assert load_config(str(run / "config.yaml")) == moved


def test_a_change_that_may_be_does_not_hide_one_that_may_not(stopped, tmp_path):
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    with pytest.raises(UserError, match=r"training\.accumulate: .*; training\.clip: "):
        stopped(training={"accumulate": 2, "clip": 1.0})
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before


@pytest.mark.parametrize("change", ["a task less", "a task more", "another order"])
def test_other_tasks_are_refused(toy, tmp_path, change):
    """The order of the tasks decides the order of dropout and surgery."""
    provenance = Provenance({}, {})
    names = {"a task less": ["sst"], "a task more": list(TASKS), "another order": ["sts", "sst"]}
    RunFolder(tmp_path / "run", toy.settings("sst", "sts"), provenance, resume=False).close()
    with pytest.raises(UserError, match="started with other settings"):
        RunFolder(tmp_path / "run", toy.settings(*names[change]), provenance, resume=True)


def test_the_order_of_dev_files_is_a_setting(toy, tmp_path):
    """The first one selects."""
    files = {"one": "sst-dev.csv", "two": "sst-train.csv"}
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["dev"] = files
    RunFolder(tmp_path / "run", parse_settings(tree, ""), Provenance({}, {}), resume=False).close()
    tree["tasks"]["sst"]["dev"] = dict(reversed(files.items()))
    with pytest.raises(UserError, match=r"tasks\.sst\.dev\.order: one, two, now two, one"):
        RunFolder(tmp_path / "run", parse_settings(tree, ""), Provenance({}, {}), resume=True)


def test_training_on_a_runs_model_leaves_that_run_as_it_was(toy, finished, tmp_path):
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    toy.train(tmp_path / "run", "sst", encoder={"path": str(finished)})
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before
