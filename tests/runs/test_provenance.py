"""A run goes on from the bytes it was started from; another environment is reported and kept."""

import json
import logging
import shutil

import pytest
from support.stops import stopped_run
from support.toy import write_encoder

from mtbert.errors import UserError
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance, differences


@pytest.fixture
def stopped(toy, tmp_path, monkeypatch):
    return stopped_run(toy, tmp_path, monkeypatch)


@pytest.mark.parametrize("file", ["sst-train.csv", "sst-dev.csv"])
def test_a_data_file_that_changed_is_refused(stopped, tmp_path, file):
    with (tmp_path / "own" / file).open("a") as stream:
        stream.write("more,a good film,good\n")
    with pytest.raises(UserError, match=r"files changed .*: tasks\.sst\.(train|dev)"):
        stopped()


def test_an_encoder_with_one_flipped_bit_is_refused(stopped, tmp_path):
    file = tmp_path / "own" / "encoder" / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(UserError, match=r"files changed .*: encoder/model\.safetensors"):
        stopped()


def test_another_tokenizer_is_refused(stopped, tmp_path):
    write_encoder(tmp_path / "other", words=["film", "actor"])
    shutil.copy(tmp_path / "other" / "vocab.txt", tmp_path / "own" / "encoder" / "vocab.txt")
    with pytest.raises(UserError, match=r"files changed .*: encoder/vocab\.txt"):
        stopped()


def test_a_file_that_is_not_learned_from_may_change(stopped, tmp_path):
    (tmp_path / "own" / "sst-test.csv").write_text("id,sentence\n1,a film\n")
    assert stopped()["steps"] == 8


def test_another_environment_is_reported_and_kept(stopped, tmp_path, monkeypatch, caplog):
    file = tmp_path / "run" / "run.json"
    stored = json.loads(file.read_text("utf-8"))
    stored["environments"][0]["versions"]["torch"] = "1.0"
    stored["environments"][0]["threads"] = 99
    file.write_text(json.dumps(stored))
    with caplog.at_level(logging.WARNING):
        stopped()
    assert "versions.torch: '1.0', now '" in caplog.text
    assert "threads: 99, now " in caplog.text
    assert "will not be bit for bit" in caplog.text
    found = json.loads(file.read_text("utf-8"))["environments"]
    assert [e["threads"] == 99 for e in found] == [True, False]


def test_the_same_environment_is_not_reported(stopped, tmp_path, caplog):
    before = (tmp_path / "run" / "run.json").read_bytes()
    with caplog.at_level(logging.WARNING):
        stopped()
    assert "bit for bit" not in caplog.text
    assert (tmp_path / "run" / "run.json").read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "inputs": 3}',
    '{"format": 1, "inputs": {}, "environments": []}', b"\xff"])  # fmt: skip
def test_a_damaged_run_json_is_refused_by_name(toy, tmp_path, content):
    RunFolder(tmp_path / "run", toy.settings(), Provenance({}, {}), resume=False).close()
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "run" / "run.json").write_bytes(raw)
    with pytest.raises(UserError, match=r"run\.json: damaged"):
        RunFolder(tmp_path / "run", toy.settings(), Provenance({}, {}), resume=True)


def test_each_value_and_each_order_of_names_that_differs_is_listed():
    old = {"a": 1, "b": {"x": 1, "y": [1]}, "c": "same"}
    new = {"a": 2, "b": {"y": [1], "x": 1}, "c": "same", "d": None}
    assert differences(old, new) == ["a: 1, now 2", "b.order: x, y, now y, x"]
    assert differences(old, old) == []
    assert differences({"a": 1}, {"a": 2}, word="there") == ["a: 1, there 2"]
