"""The metadata of a model card: the encoder it names, the tasks and metrics of the model index."""

import pytest

from mtbert.export.card_metadata import base_model, card_metadata


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("packaged", "sentence-transformers/all-MiniLM-L6-v2"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("google-bert/bert-base-cased", "google-bert/bert-base-cased"),
        ("/home/someone/bert", None), ("~/bert", None), ("./bert", None), ("a/b/c", None),
    ],
)  # fmt: skip
def test_only_an_encoder_of_the_hub_is_named(toy, path, told):
    assert base_model(toy.settings(encoder={"path": path})) == told


def test_a_folder_of_a_hub_id_s_name_is_a_folder(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "google-bert").mkdir()
    assert base_model(toy.settings(encoder={"path": "google-bert"})) is None


def test_results_of_tasks_on_the_same_data_stay_apart(toy):
    dev = {"sst": {"accuracy": 0.5}, "para": {"accuracy": 0.75, "f1": None}}
    settings = toy.settings("sst", "para", card={"datasets": ["me/mine"]})
    found = card_metadata(settings, {"dev": dev}, "both").to_dict()
    (index,) = found["model-index"]
    assert index["name"] == "both"
    values = {
        part["dataset"]["config"]: [m["value"] for m in part["metrics"]]
        for part in index["results"]
    }
    assert values == {"sst": [0.5], "para": [0.75]}
    assert {part["dataset"]["type"] for part in index["results"]} == {"me/mine"}


def test_without_a_score_there_is_no_model_index(toy):
    found = card_metadata(toy.settings("sts"), {"dev": {"sts": {"pearson": None}}}, "sts")
    assert "model-index" not in found.to_dict()
    assert found.pipeline_tag == "sentence-similarity"
