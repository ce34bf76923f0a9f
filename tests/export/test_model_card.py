"""The model card: its front matter as the Hub's own library reads it, and its text."""

import json
import math

import pytest
from huggingface_hub import ModelCard

from mtbert.config.load import load_config
from mtbert.export.model_card import model_card
from mtbert.inference.evaluation_file import read_details

SUMMARY = {
    "dev": {"sst": {"accuracy": 0.51234, "f1": 0.25}, "sts": {"pearson": 0.5, "spearman": 0.4}},
    "others": {},
    "examples": {"sst/train": 1200, "sst/dev": 40, "sts/train": 30, "sts/dev": 20},
    "versions": {"mtbert": "0.1.0"},
    "epochs": 2,
    "best_epoch": 1,
}


def card(toy, *tasks, summary=SUMMARY, **changes):
    return model_card(toy.settings(*(tasks or ("sst", "sts")), **changes), summary)


def rows_of(text):
    return [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]


def test_scores_settings_labels_and_limits_are_told(toy):
    text = card(toy, seed=8, training={"surgery": "pcgrad"})
    assert "# sst + sts: one BERT encoder with 2 head(s)" in text
    assert "Scores of the best epoch (1)" in text
    rows = rows_of(text)
    assert ["sst", "classification", "accuracy", "0.5123", ""] in rows
    assert ["sts", "pair_regression", "spearman", "0.4000", ""] in rows
    assert ["surgery", "pcgrad"] in rows
    assert ["seed", "8"] in rows
    assert ["sst", "1200", "40", "cross_entropy", "1"] in rows
    assert "- `sst`: 0 = bad, 1 = good" in text
    assert "- `sts`: a number from 0 to 5" in text
    assert "longer ones than 16 tokens" in text


def test_the_front_matter_is_what_the_hub_reads(toy):
    told = {"language": ["en", "de"], "license": "cc-by-4.0", "datasets": ["nyu-mll/glue"]}
    data = ModelCard(card(toy, card=told, encoder={"path": "bert-base-uncased"})).data
    front = data.to_dict()
    assert (data.language, data.license, data.datasets) == tuple(told.values())
    assert (front["library_name"], front["base_model"]) == ("mtbert", "bert-base-uncased")
    assert data.metrics == ["accuracy", "pearsonr"]
    assert data.tags == ["mtbert", "bert", "multitask", "text-regression", "sentence-pairs"]
    found = {(r.task_name, r.metric_type): (r.task_type, r.metric_value) for r in data.eval_results}
    assert found == {
        ("sst", "accuracy"): ("text-classification", 0.51234),
        ("sst", "f1"): ("text-classification", 0.25),
        ("sts", "pearsonr"): ("sentence-similarity", 0.5),
        ("sts", "spearmanr"): ("sentence-similarity", 0.4),
    }


def test_nothing_is_claimed_that_is_not_known(toy):
    data = ModelCard(card(toy)).data
    assert (data.language, data.license, data.base_model, data.datasets) == (None,) * 4
    assert "English" not in card(toy)


def test_a_finished_run_has_a_card_with_intervals_and_scores_by_class(finished):
    text = (finished / "model" / "README.md").read_text("utf-8")
    data = ModelCard(text).data
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    values = {(r.task_name, r.metric_name): r.metric_value for r in data.eval_results}
    for task, metrics in summary["dev"].items():
        for metric, value in metrics.items():
            if value is not None:
                assert values[task, metric] == pytest.approx(value, abs=1e-6)
    details = read_details(finished, load_config(str(finished / "config.yaml")))
    score = details["sst"].metrics["accuracy"]
    row = next(r for r in rows_of(text) if r[:3] == ["sst", "classification", "accuracy"])
    assert row[4] == f"{score.low:.3f} to {score.high:.3f}"
    assert "### sst by class" in text


def test_the_example_fits_each_task(toy):
    text = card(toy, "sts", "sst")
    assert 'model.predict("sst", ["Well done."])' in text
    assert 'model.predict("sts", [("A man sings.", "A man is singing.")])' in text


def test_no_path_of_the_machine_is_shown(toy):
    assert "`a local folder`" in card(toy)
    assert str(toy.folder) not in card(toy)
    assert "from `bert-base-uncased`" in card(toy, encoder={"path": "bert-base-uncased"})


def test_the_packaged_encoder_and_its_leak_are_told(toy):
    assert "Quora" not in card(toy)
    text = card(toy, encoder={"path": "packaged"})
    assert "Quora question pairs" in text
    alone = SUMMARY | {"dev": {"sst": SUMMARY["dev"]["sst"]}, "others": {}}
    assert "Quora" not in card(toy, "sst", summary=alone, encoder={"path": "packaged"})
    assert ModelCard(text).data.base_model == "sentence-transformers/all-MiniLM-L6-v2"


def test_names_stay_on_their_line(toy):
    labels = ["a|b", "line\nbreak"]
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["labels"] = labels
    text = card(toy, "sst", tasks=tree["tasks"], summary=SUMMARY | {"dev": {}})
    assert ModelCard(text).data.to_dict()["library_name"] == "mtbert"
    assert "0 = a|b, 1 = line break" in text


@pytest.mark.parametrize("value", [math.nan, None])
def test_an_undefined_score_is_told_in_a_word_and_not_listed(toy, value):
    dev = json.loads(json.dumps(SUMMARY["dev"])) | {"sts": {"pearson": value, "spearman": value}}
    text = card(toy, summary=SUMMARY | {"dev": dev})
    assert "| undefined" in text
    assert {r.task_name for r in ModelCard(text).data.eval_results} == {"sst"}
