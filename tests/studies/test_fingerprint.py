"""Fingerprints of runs: what changes a key, and how much work a run is."""

import shutil
from dataclasses import replace

import pytest
from support.studies import ROWS, overrides

from mtbert.config.load import load_config
from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.studies import fingerprint
from mtbert.studies.fingerprint import Fingerprints
from mtbert.studies.grid import cells, load_grid
from mtbert.training.setup import prepare

real = fingerprint.read_examples


def test_a_key_is_of_the_content_not_of_the_place(course, tmp_path):
    def key(folder, *more):
        return cells(load_grid("batching"), overrides(folder, "seed=1", *more))[0].run.key

    moved = shutil.copytree(course, tmp_path / "moved")
    (moved / "grid.yaml").unlink(missing_ok=True)
    same = key(course)
    assert key(moved) == key(moved, "threads=1", "device=cpu") == same
    assert key(course, "training.epochs=3") != same
    assert key(course, "training.average=null", "training.non_finite=stop") == same  # defaults
    assert key(course, "training.average=0.9") != same
    assert key(course, "tasks.sts.target=standardised") != same
    dev = moved / "sts-dev.csv"
    dev.write_text(dev.read_text().replace("sts1,", "other,"))
    assert key(moved) != same


@pytest.fixture
def settings(course):
    def make(*changes):
        return load_config("multitask", overrides(course, *changes))

    return make


def test_steps_and_batches_follow_from_the_sizes_of_the_files(settings):
    fingerprints = Fingerprints()
    found = settings("training.batching=method3", "training.epochs=5")
    batches = {task: train // 4 for task, (train, _) in ROWS.items()}
    assert fingerprints.batches(found) == batches
    assert fingerprints.epoch_length(found) == min(batches.values())
    assert fingerprints.steps(found) == 5 * min(batches.values())
    longest = settings("training.batching=method2", "training.epochs=5")
    assert fingerprints.steps(longest) == 5 * max(batches.values())
    first = settings(
        "training.batching=method3", "training.epochs=5", "encoder.mode=heads_first",
        "encoder.heads_first_epochs=2",
    )  # fmt: skip
    assert fingerprints.steps(first) == 7 * min(batches.values())


def test_frozen_runs_encode_every_text_once(settings):
    fingerprints = Fingerprints()
    one, many = (
        settings("encoder.mode=frozen", "training.surgery=none", f"training.epochs={n}")
        for n in (1, 9)
    )
    assert fingerprints.work(one) == fingerprints.work(many)
    assert fingerprints.work(one) < fingerprints.work(settings("training.epochs=1"))


def test_a_file_is_read_once_however_many_runs_use_it(settings, monkeypatch):
    read = []
    monkeypatch.setattr(
        fingerprint, "read_examples", lambda path, *a, **k: read.append(path) or real(path, *a, **k)
    )
    fingerprints = Fingerprints()
    for epochs in (1, 2):
        fingerprints.work(settings(f"training.epochs={epochs}"))
    assert len(read) == len(set(read)) == 6


def test_a_file_that_cannot_be_read_is_named(settings, tmp_path):
    with pytest.raises(UserError, match=r"ids-sst-train\.csv: cannot be read"):
        Fingerprints().key(settings(f"data.dir={tmp_path}"))


def test_the_plan_of_an_epoch_is_that_of_training(toy):
    """Lengths and swapped pairs decide what stands in a batch, not how many batches there are."""
    changes = {"training": {"group_by_length": True, "steps_per_epoch": 2}}
    found = toy.settings(**changes)
    trained = prepare(found, ALONE).spec
    planned = Fingerprints()._epoch_spec(found)
    assert trained.lengths is not None
    assert replace(trained, lengths=None) == planned


def test_letter_case_and_shards_of_an_encoder_are_part_of_the_key(toy, tmp_path):
    folder = shutil.copytree(toy.encoder, tmp_path / "encoder")

    def key():
        return Fingerprints().key(toy.settings("sst", encoder={"path": str(folder)}))

    plain = key()
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    cased = key()
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-1.safetensors"}}'
    )
    first = key()
    (folder / "model-1.safetensors").write_bytes(b"other")
    assert len({plain, cased, first, key()}) == 4
