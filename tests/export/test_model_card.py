import json
import math

import pytest

from mtbert.export.model_card import model_card

SUMMARY = {
    "dev": {"sst": {"accuracy": 0.51234, "f1": 0.25}, "sts": {"pearson": 0.5, "spearman": 0.4}},
    "versions": {"mtbert": "0.1.0"},
    "epochs": 2,
    "best_epoch": 1,
}


def card(toy, *tasks, summary=SUMMARY, **changes):
    return model_card(toy.settings(*(tasks or ("sst", "sts")), **changes), summary)


def test_scores_settings_labels_and_limits_are_told(toy):
    text = card(toy, seed=8, training={"surgery": "pcgrad"})
    assert text.startswith("---\nlibrary_name: mtbert\n")
    assert "# sst + sts: one BERT encoder with 2 head(s)" in text
    assert "surgery pcgrad, seed 8. The best epoch\n(1) was chosen" in text
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    assert ["sst", "classification", "accuracy", "0.5123"] in rows
    assert ["sts", "pair_regression", "spearman", "0.4000"] in rows
    assert "- `sst`: 0 = bad, 1 = good" in text
    assert "longer than 16 tokens is\ncut" in text


def test_the_example_fits_the_first_task(toy):
    assert 'model.predict("sst", ["Well done."])' in card(toy)
    text = card(toy, "sts", "sst")
    assert 'model.predict("sts", [("A man sings.", "A man is singing.")])' in text


def test_no_path_of_the_machine_is_shown(toy):
    assert "`a local folder`" in card(toy)
    assert str(toy.folder) not in card(toy)
    assert "from `bert-base-uncased`" in card(toy, encoder={"path": "bert-base-uncased"})


def test_the_packaged_encoders_leak_is_told(toy):
    assert "Quora" not in card(toy)
    assert "Quora question pairs" in card(toy, encoder={"path": "packaged"})


def test_without_classes_no_labels_are_listed(toy):
    assert "No task has classes." in card(toy, "sts", summary=SUMMARY | {"dev": {}})


@pytest.mark.parametrize("value", [math.nan, None])
def test_an_undefined_score_is_told_in_a_word(toy, value):
    dev = json.loads(json.dumps(SUMMARY["dev"])) | {"sts": {"pearson": value, "spearman": value}}
    assert "| undefined" in card(toy, summary=SUMMARY | {"dev": dev})
