import argparse
import json
import pickle
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtbert.errors import UserError
from mtbert.model.convert_pickle import convert_legacy
from mtbert.model.encoders.base import load_encoder


def test_convert_writes_the_tensors_of_a_plain_state_dict(bert_folder, tmp_path):
    from transformers import AutoModel

    expected = AutoModel.from_pretrained(bert_folder).eval()
    state = expected.state_dict() | {"tied": expected.pooler.dense.weight.t()}
    torch.save(state, tmp_path / "pytorch_model.bin")
    output = tmp_path / "out.safetensors"
    assert convert_legacy(tmp_path / "pytorch_model.bin", output) == len(state)
    found = load_file(output)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.safetensors", "pytorch_model.bin"]
    found.pop("tied")
    save_file(found, bert_folder / "model.safetensors")
    ids = torch.tensor([[2, 9, 4, 31, 3]])
    with torch.no_grad():
        for ours, theirs in zip(
            load_encoder(str(bert_folder))(ids), expected(ids)[:2], strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return (open, (self.target, "w"))


@pytest.mark.parametrize("writer", [torch.save, lambda o, f: f.write_bytes(pickle.dumps(o))])
def test_convert_refuses_a_pickle_that_runs_code(tmp_path, writer):
    target, file = tmp_path / "created", tmp_path / "evil.bin"
    writer({"weight": torch.zeros(2), "evil": Malicious(target)}, file)
    with pytest.raises(UserError, match="refused"):
        convert_legacy(file, tmp_path / "out.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.bin"]


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"a": 1}, {"a": {"b": torch.zeros(2)}}, 5])
def test_convert_refuses_what_is_not_tensors_by_name(tmp_path, content):
    torch.save(content, tmp_path / "file.bin")
    with pytest.raises(UserError, match="expected tensors by name"):
        convert_legacy(tmp_path / "file.bin", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("content", [None, b"", b"not a pickle"])
def test_convert_refuses_a_file_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"file\.bin"):
        convert_legacy(tmp_path / "file.bin", tmp_path / "out.safetensors")


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "file.bin")
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    with pytest.raises(UserError, match="is there already, and is not overwritten"):
        convert_legacy(tmp_path / "file.bin", tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").read_bytes() == b"mine"


@pytest.fixture
def shards(tmp_path):
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    for number, name in enumerate(names):
        torch.save({f"part{number}": torch.full((2,), float(number))}, tmp_path / name)
    places = {f"part{number}": name for number, name in enumerate(names)}
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    return [*(tmp_path / name for name in names), index]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_shard_or_the_index_stands_for_the_whole_model(shards, tmp_path, which):
    assert convert_legacy(shards[which], tmp_path / "out.safetensors") == 2
    assert load_file(tmp_path / "out.safetensors").keys() == {"part0", "part1"}


@pytest.mark.parametrize("which", [0, 2])
def test_a_part_of_a_model_is_not_made_a_whole_one(shards, tmp_path, which):
    shards[1].unlink()
    with pytest.raises(UserError, match=r"missing beside it: pytorch_model-00002-of-00002\.bin"):
        convert_legacy(shards[which], tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_an_index_names_files_beside_it_alone(shards, tmp_path):
    shards[2].write_text(json.dumps({"weight_map": {"a": "../x.bin"}}))
    with pytest.raises(UserError, match="no weight_map of files beside it"):
        convert_legacy(shards[2], tmp_path / "out.safetensors")


def as_the_course(name):
    """The course's own name of a tensor of a Hugging Face BERT."""
    for theirs, ours in (
        ("embeddings.word_embeddings", "word_embedding"),
        ("embeddings.position_embeddings", "pos_embedding"),
        ("embeddings.token_type_embeddings", "tk_type_embedding"),
        ("embeddings.LayerNorm", "embed_layer_norm"),
        ("encoder.layer", "bert_layers"),
        ("attention.self", "self_attention"),
        ("attention.output.dense", "attention_dense"),
        ("attention.output.LayerNorm", "attention_layer_norm"),
        ("intermediate.dense", "interm_dense"),
        ("output.dense", "out_dense"),
        ("output.LayerNorm", "out_layer_norm"),
        ("pooler.dense", "pooler_dense"),
    ):
        name = name.replace(theirs, ours)
    return name


def test_a_checkpoint_of_the_course_becomes_an_encoder(make_bert, tmp_path):
    expected, folder = make_bert()
    state = {f"bert.{as_the_course(n)}": t for n, t in expected.state_dict().items()}
    state |= {"bert.position_ids": torch.arange(4)[None], "sentiment.weight": torch.ones(5, 16)}
    content = {
        "model": state,
        "optim": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{}]},
        "args": argparse.Namespace(lr=1e-5, epochs=10),
        "model_config": SimpleNamespace(hidden_size=16, data_dir="."),
        "system_rng": (3, (1, 2, 3), None),
    }
    torch.save(content, tmp_path / "finetune.pt")
    (folder / "model.safetensors").unlink()
    assert convert_legacy(tmp_path / "finetune.pt", folder / "model.safetensors") == len(state)
    ids = torch.tensor([[2, 9, 4, 31, 3]])
    with torch.no_grad():
        for ours, theirs in zip(load_encoder(str(folder))(ids), expected(ids)[:2], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("place", ["state_dict", "model_state_dict", "model", "module"])
def test_the_tensors_of_a_checkpoint_of_training_are_found(tmp_path, place, caplog):
    torch.save({"epoch": 3, place: {"bert.a": torch.ones(2)}}, tmp_path / "last.ckpt")
    with caplog.at_level("INFO", "mtbert"):
        assert convert_legacy(tmp_path / "last.ckpt", tmp_path / "out.safetensors") == 1
    assert "left out: epoch" in caplog.text


def test_the_refusal_of_a_class_is_in_plain_words(tmp_path):
    torch.save({"model": {"a": torch.ones(1)}, "when": __import__("datetime").date(2024, 1, 1)},
               tmp_path / "file.pt")  # fmt: skip
    with pytest.raises(UserError) as error:
        convert_legacy(tmp_path / "file.pt", tmp_path / "out.safetensors")
    assert "it holds datetime.date, more than tensors and plain values" in str(error.value)
    assert "torch.save(model.state_dict(), FILE)" in str(error.value)


def test_safetensors_need_no_conversion(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="safetensors already"):
        convert_legacy(tmp_path / "x.safetensors", tmp_path / "out.safetensors")
