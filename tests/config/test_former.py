"""Defaults that have changed: what was written before them means what it meant."""

import json
from pathlib import Path

import pytest

from mtbert.config.automatic import with_pair_forms
from mtbert.config.former import FORMER, differing, with_former_defaults
from mtbert.config.load import load_config, parse_settings, shipped_configs
from mtbert.config.yaml import dump_yaml

SNAPSHOT = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "shipped" / "settings.json").read_text("utf-8")
)
"""The shipped configurations with the defaults of the paper: settings, and what made their keys."""
TREE = {
    "tasks": {
        "sst": {"kind": "classification", "train": "a", "dev": "b", "labels": ["x", "y"]},
        "sts": {"kind": "pair_regression", "train": "a", "dev": "b"},
    }
}


def within(part, whole, key=""):
    """Every value of a tree is in another, which may hold more."""
    for name, value in part.items():
        if isinstance(value, dict):
            within(value, whole[name], f"{key}{name}.")
        else:
            assert (key + name, whole[name]) == (key + name, value)


@pytest.mark.parametrize("name", list(SNAPSHOT))
def test_a_shipped_configuration_is_what_it_was(name):
    settings = with_pair_forms(load_config(name), lambda _: pytest.fail("its form is given"))
    found = settings.model_dump(mode="json")
    if found["encoder"]["heads_first_epochs"] == "auto":  # plays no part
        found["encoder"]["heads_first_epochs"] = 3
    within(SNAPSHOT[name]["settings"], found)


def test_every_shipped_configuration_of_then_is_there():
    assert set(SNAPSHOT) <= set(shipped_configs())


@pytest.mark.parametrize("name", list(SNAPSHOT))
def test_what_makes_the_key_of_a_shipped_configuration_has_not_moved(name):
    found = differing(load_config(name))
    for task in found["tasks"].values():
        if task.get("target") == "raw":  # what every regression was
            del task["target"]
    assert found == SNAPSHOT[name]["decisive"]


def test_old_and_new_defaults_have_different_keys_and_the_old_ones_are_left_out():
    old = parse_settings(with_former_defaults(TREE), "old")
    assert set(differing(old)) == {"tasks"}
    new = differing(parse_settings(TREE, "new"))
    assert new["training"]["epochs"] == "auto"
    assert new["training"]["batch_size"] == 16
    assert new["tasks"]["sts"]["pair_encoding"] == "auto"
    assert new["tasks"]["sst"].keys() == {"kind", "train", "dev", "labels", "head"}


def test_what_is_given_is_kept_beside_the_former_defaults():
    tree = {**TREE, "training": {"epochs": 3, "clip": 0.5}, "seed": 4}
    found = with_former_defaults(tree)
    assert found["training"] == FORMER["training"] | {"epochs": 3, "clip": 0.5}
    assert found["seed"] == 4
    assert found["tasks"]["sst"]["head"] == "cls"


def test_a_configuration_that_a_run_has_written_means_what_it_meant(tmp_path):
    """Runs leave out of it what has no value, as `head_learning_rate` and `clip` once had."""
    file = tmp_path / "config.yaml"
    old = parse_settings(with_former_defaults(TREE), "old")
    tree = old.model_dump(mode="json", exclude_none=True)
    file.write_text(json.dumps(tree | {"data": {"dir": "."}}))
    found = load_config(str(file))
    assert found.training == old.training
    assert found.tasks["sst"] == old.tasks["sst"]
    del tree["training"]["select"]  # nothing that mtbert has written
    file.write_text(json.dumps(tree | {"data": {"dir": "."}}))
    assert load_config(str(file)).training.head_learning_rate == "auto"


def test_what_is_none_on_purpose_survives_a_runs_folder(tmp_path):
    file = tmp_path / "config.yaml"
    settings = parse_settings({**TREE, "training": {"clip": None, "learning_rate": None}}, "x")
    file.write_text(dump_yaml(settings))
    assert load_config(str(file)).training == settings.training
