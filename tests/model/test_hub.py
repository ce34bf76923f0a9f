import json
import shutil

import pytest

from mtbert.errors import UserError
from mtbert.model import hub as locate_module
from mtbert.model.encoders.base import load_encoder
from mtbert.model.hub import locate


def test_a_run_model_folder_is_found_from_the_run_folder(bert_folder, tmp_path):
    shutil.copytree(bert_folder, tmp_path / "run" / "model")
    assert locate(str(tmp_path / "run")) == tmp_path / "run" / "model"


@pytest.mark.parametrize("source", ["no/such/folder", "./nothing", "a b", "nobody/no-model"])
def test_a_source_that_is_nowhere_is_refused_without_network(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"encoder\.path"):
        locate(source)


def test_altered_packaged_weights_are_refused(monkeypatch):
    monkeypatch.setattr(locate_module, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(UserError, match="is not the known one"):
        locate("packaged")


def test_the_encoder_of_an_old_sentence_transformers_folder_is_found(bert_folder, tmp_path):
    shutil.copytree(bert_folder, tmp_path / "0_Transformer")
    (tmp_path / "config.json").write_text('{"__version__": "0.2.5"}')
    modules = [{"idx": 0, "path": "0_Transformer"}, {"idx": 1, "path": "1_Pooling"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert locate(str(tmp_path)) == tmp_path / "0_Transformer"


@pytest.mark.parametrize("path", ["", "..", "/etc", "a/b", None, 3])
def test_a_path_of_modules_that_is_no_folder_within_is_not_followed(bert_folder, path):
    (bert_folder / "modules.json").write_text(json.dumps([{"idx": 0, "path": path}]))
    assert locate(str(bert_folder)) == bert_folder


@pytest.mark.parametrize("nested", [False, True])
def test_shards_and_parts_of_a_hub_model_are_fetched_by_their_names(monkeypatch, tmp_path, nested):
    import huggingface_hub

    cached, asked = tmp_path / "snapshots" / ("a" * 40), []
    part = cached / "0_Transformer" if nested else cached
    part.mkdir(parents=True)
    shard = "model-00001-of-00001.safetensors"
    (part / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    if nested:
        (cached / "modules.json").write_text(json.dumps([{"path": "0_Transformer"}]))

    def download(source, revision, allow_patterns):
        asked.append((revision, allow_patterns))
        return str(cached)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate("owner/name", "a" * 40) == part
    assert asked[-1] == ("a" * 40, [f"0_Transformer/{shard}" if nested else shard])
    assert len(asked) == 2 + nested
    assert all(revision == "a" * 40 for revision, _ in asked)


def test_the_packaged_encoder_says_nothing_of_what_it_does_not_use(caplog):
    with caplog.at_level("INFO", "mtbert"):
        load_encoder("packaged")
    assert not caplog.records
