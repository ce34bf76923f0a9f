import json
import shutil

import pytest
import torch

from mtbert.errors import UserError
from mtbert.inference.saved_run import load_run


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_run_is_loaded_as_it_was_trained(finished):
    settings, model = load_run(finished)
    assert set(settings.tasks) == set(model.tasks) == {"sst", "para", "sts"}
    assert model.max_length == settings.encoder.max_length == 16
    assert model.predict("sst", ["the good film"])[0].label in ("bad", "good")


def test_a_model_computes_in_the_precision_of_its_run(run):
    assert load_run(run)[1].network.encoder.compute_dtype == torch.float32
    edit(run / "config.yaml", "precision: fp32", "precision: bf16")
    assert load_run(run)[1].network.encoder.compute_dtype == torch.bfloat16


def test_texts_are_cut_as_in_training_whatever_the_configuration_says(run):
    edit(run / "config.yaml", "max_length: 16", "max_length: 4000")
    settings, model = load_run(run)
    assert settings.encoder.max_length == model.max_length == 16


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- bad\n", "- awful\n"),
        ("head: mean", "head: cls"),
        ("features: uv_absdiff_product", "features: uv"),
        ("pair_encoding: both_orders", "pair_encoding: jointly"),
        ("- 5.0\n", "- 6.0\n"),
    ],
)
def test_a_model_without_a_task_of_the_configuration_is_refused(run, old, new):
    edit(run / "config.yaml", old, new)
    with pytest.raises(UserError, match="the model has no head for the task"):
        load_run(run)


def test_what_a_head_was_not_made_for_may_change(run):
    edit(run / "config.yaml", "loss_weight: 1.0", "loss_weight: 2.0")
    load_run(run)


def test_a_run_without_its_model_is_refused(run):
    shutil.rmtree(run / "model")
    with pytest.raises(UserError, match=r"its model was deleted .*train it again"):
        load_run(run)
    (run / "summary.json").unlink()
    with pytest.raises(UserError, match="has no model yet"):
        load_run(run)
    (run / "config.yaml").unlink()
    with pytest.raises(UserError, match="not a run folder"):
        load_run(run)


def test_a_task_that_is_only_evaluated_answers_with_the_head_it_uses(toy, tmp_path):
    tree = toy.tree("sst")
    tree["tasks"]["again"] = {**tree["tasks"]["sst"], "uses": "sst", "dev": "sst-dev.csv"}
    del tree["tasks"]["again"]["train"], tree["tasks"]["again"]["test"]
    toy.train(tmp_path / "run", tasks=tree["tasks"])
    assert set(json.loads((tmp_path / "run/model/mtbert.json").read_text())["tasks"]) == {"sst"}
    _, model = load_run(tmp_path / "run")
    assert model.tasks == ("sst", "again")
    texts = ["the good film", "a bad cat"]
    assert model.predict("again", texts) == model.predict("sst", texts)
