import json

import pytest

from mtbert.errors import UserError
from mtbert.model.shards import shards_of, weight_map


def index(folder, content):
    file = folder / "model.safetensors.index.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_the_shards_of_an_index_are_named_once_and_only_where_no_whole_file_is(tmp_path):
    assert shards_of(tmp_path) == []
    index(tmp_path, {"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors",
                                    "c": "m-2.safetensors"}})  # fmt: skip
    assert shards_of(tmp_path) == ["m-1.safetensors", "m-2.safetensors"]
    (tmp_path / "model.safetensors").touch()
    assert shards_of(tmp_path) == []


@pytest.mark.parametrize("name", ["../m.safetensors", "/m.safetensors", "a/b.safetensors", "m.bin",
                                  "", 5, None, "a\nb.safetensors"])  # fmt: skip
def test_an_index_names_files_of_its_folder_alone(tmp_path, name):
    with pytest.raises(UserError, match="is not the name of a shard"):
        weight_map(index(tmp_path, {"weight_map": {"a": name}}))


@pytest.mark.parametrize("content", ["{", "{}", '{"weight_map": []}', '{"weight_map": {}}'])
def test_a_damaged_index_is_refused(tmp_path, content):
    with pytest.raises(UserError, match="damaged"):
        weight_map(index(tmp_path, content))
