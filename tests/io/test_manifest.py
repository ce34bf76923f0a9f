"""A finished model whose files changed is refused by name; a folder without sums is read."""

import json
import re
import shutil
from pathlib import Path

import pytest
from support.toy import copy_model, results

from mtbert.commands.evaluate import evaluate_run
from mtbert.commands.predict import predict_file
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.io.hashing import file_sha256
from mtbert.io.manifest import MANIFEST, check_manifest, write_manifest
from mtbert.model.encoders.base import Encoder

FILES = ["config.json", "heads.safetensors", "model.safetensors", "mtbert.json",
         "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]  # fmt: skip


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def flip(file):
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def test_a_finished_model_lists_all_its_files_but_the_card(finished):
    folder = finished / "model"
    found = json.loads((folder / MANIFEST).read_text("utf-8"))
    assert sorted(found["files"]) == FILES
    assert {p.name for p in folder.iterdir()} == {*FILES, MANIFEST, "README.md"}
    for name, (size, digest) in found["files"].items():
        assert size == (folder / name).stat().st_size
        assert digest == file_sha256(folder / name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "told"),
    [(flip, "damaged: its content has changed"), (cut, "damaged: "), (Path.unlink, "missing")],
)
def test_a_file_that_changed_by_a_byte_is_refused_by_name(run, name, damage, told):
    damage(run / "model" / name)
    readers = [lambda: MultitaskModel.from_pretrained(run / "model")]
    if name != "mtbert.json" or damage is not Path.unlink:  # without it a run has no model
        readers.append(lambda: evaluate_run(run, "dev"))
    if name != "config.json" or damage is not Path.unlink:
        readers.append(lambda: Encoder.from_pretrained(str(run / "model")))
    for read in readers:
        with pytest.raises(UserError, match=re.escape(f"model/{name}: {told}")):
            read()


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "run"),
        ("predict", "run", "--task", "sst", "rows.csv"),
        ("leaderboard", "run", "--data", "data", "--output", "out"),
        ("train", "config.json", "encoder.path=run/model", "--output", "new"),
    ],
)
def test_every_command_refuses_a_model_with_a_flipped_byte(toy, run, tmp_path, refuse, command):
    flip(run / "model" / "model.safetensors")
    (tmp_path / "rows.csv").write_text("id,sentence\na,good film\n")
    (tmp_path / "data").mkdir()
    for name in ("ids-sst", "quora", "sts"):
        for split in ("dev", "test-student"):
            (tmp_path / "data" / f"{name}-{split}.csv").write_text("id\tsentence\n")
    toy.config(tmp_path / "config.json", "sst")
    refuse("model.safetensors: damaged: its content has changed", *command)


def test_the_card_may_be_edited_and_further_files_lie_beside(run):
    (run / "model" / "README.md").write_text("mine")
    (run / "model" / "notes.txt").write_text("mine")
    assert evaluate_run(run, "dev")["dev"]


def test_a_folder_without_sums_is_read(finished, tmp_path):
    folder = copy_model(finished, tmp_path / "model")
    file = folder / "config.json"
    file.write_bytes(file.read_bytes() + b" ")
    assert MultitaskModel.from_pretrained(folder).predict("sst", ["good film"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "format 2, this mtbert reads 1"),
        ({"format": None}, "format None, this mtbert reads 1"),
        ({"files": []}, "damaged: no sizes and sums of config.json, model.safetensors"),
        ({"files": {}}, "damaged: no sizes and sums of config.json, model.safetensors"),
    ],
)
def test_sums_of_another_form_are_refused(run, change, told):
    file = run / "model" / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change))
    with pytest.raises(UserError, match=re.escape(f"{file}: {told}")):
        check_manifest(file.parent)


@pytest.mark.parametrize("name", ["../summary.json", "/etc/hosts", "a/b", "a\0b", "..", "\x1b[2J"])
@pytest.mark.parametrize("sums", [[1, "a"], [], None, "ab", {"a": 1}])
def test_a_name_that_leads_elsewhere_is_refused(run, name, sums):
    file = run / "model" / MANIFEST
    found = json.loads(file.read_text("utf-8"))
    found["files"][name] = sums
    file.write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"damaged at|missing"):
        check_manifest(file.parent)


@pytest.mark.parametrize("sums", [[], None, "ab", {"a": 1}, [1], [1, 2, 3], [None, None]])
def test_odd_sums_are_refused(run, sums):
    file = run / "model" / MANIFEST
    found = json.loads(file.read_text("utf-8"))
    found["files"]["config.json"] = sums
    file.write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"config\.json|damaged at"):
        check_manifest(file.parent)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_sums_are_refused(run, content):
    (run / "model" / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(MANIFEST)):
        check_manifest(run / "model")


def test_a_changed_model_can_be_given_new_sums(run):
    flip(run / "model" / "tokenizer_config.json")
    write_manifest(run / "model")
    check_manifest(run / "model")


def test_prediction_with_a_model_that_is_whole_writes_its_file(run, tmp_path):
    (tmp_path / "rows.csv").write_text("id,sentence\na,good film\n")
    predict_file(run, "sst", str(tmp_path / "rows.csv"), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["id"] == "a"
    assert results(run)
