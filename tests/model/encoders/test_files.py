import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.bert_folders import hidden, refusal

from mtbert.model.encoders.base import load_encoder

INDEX = "model.safetensors.index.json"
NAMES = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]


@pytest.fixture
def sharded(bert_folder):
    """The folder with its weights in three shards, as transformers writes them."""
    tensors = load_file(bert_folder / "model.safetensors")
    places = {name: NAMES[number % 3] for number, name in enumerate(tensors)}
    for shard in NAMES:
        save_file({n: t for n, t in tensors.items() if places[n] == shard}, bert_folder / shard)
    (bert_folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (bert_folder / "model.safetensors").rename(bert_folder.parent / f"{bert_folder.name}.whole")
    return bert_folder


def test_shards_are_read_as_one_and_as_transformers_reads_them(sharded):
    from transformers import AutoModel

    theirs = hidden(AutoModel.from_pretrained(sharded).eval())
    torch.testing.assert_close(hidden(load_encoder(str(sharded))), theirs, rtol=1e-5, atol=1e-5)


def test_a_missing_shard_is_named(sharded):
    (sharded / NAMES[1]).unlink()
    assert f"{NAMES[1]}: missing, of the 3 shards" in refusal(sharded)


def test_shards_without_their_index_are_named(sharded):
    (sharded / INDEX).unlink()
    assert f"no {INDEX}, though there are shards ({NAMES[0]}" in refusal(sharded)


def test_an_index_that_does_not_fit_its_shards_is_refused(sharded):
    found = json.loads((sharded / INDEX).read_text())
    places = found["weight_map"]
    (sharded / INDEX).write_text(
        json.dumps({"weight_map": places | {"pooler.dense.bias": NAMES[0], "more": NAMES[0]}})
    )
    assert f"{NAMES[0]}: more: missing, though the index says it is there" in refusal(sharded)


def test_a_tensor_in_two_shards_is_refused(sharded):
    save_file(load_file(sharded / NAMES[0]), sharded / NAMES[1])
    assert "also in another shard" in refusal(sharded)


def test_one_whole_file_goes_before_an_index(sharded):
    (sharded / NAMES[1]).unlink()
    whole = sharded.parent / f"{sharded.name}.whole"
    (sharded / "model.safetensors").write_bytes(whole.read_bytes())
    assert load_encoder(str(sharded))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("pytorch_model.bin", "mtbert convert"),
        ("pytorch_model.bin.index.json", "mtbert convert"),
        ("best.pt", "mtbert convert"),
        ("adapter_model.safetensors", "merge it into its base model"),
        ("tf_model.h5", "found tf_model.h5 of TensorFlow; load the model with transformers"),
        ("flax_model.msgpack", "found flax_model.msgpack of Flax"),
        ("model.fp16.safetensors", "found 'model.fp16.safetensors'; rename the one to use"),
    ],
)
def test_what_lies_there_in_place_of_the_weights_is_named_with_what_to_do(bert_folder, file, told):
    (bert_folder / "model.safetensors").unlink()
    (bert_folder / file).write_bytes(b"x")
    message = refusal(bert_folder)
    assert "no model.safetensors" in message
    assert told in message


def test_a_repository_of_the_hub_without_safetensors_is_told_how_to_convert(bert_folder):
    (bert_folder / "model.safetensors").unlink()
    cached = bert_folder / "snapshots" / "abc"
    cached.mkdir(parents=True)
    (cached / "config.json").write_bytes((bert_folder / "config.json").read_bytes())
    assert "hf download ID" in refusal(cached)


def test_a_git_lfs_pointer_is_named(bert_folder):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 438\n"
    for name in ("model.safetensors", "config.json"):
        (bert_folder / name).write_bytes(pointer)
        assert f"{name}: is a Git LFS pointer" in refusal(bert_folder)
