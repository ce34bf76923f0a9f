from pathlib import Path

import pytest

from mtbert.config.load import load_config, parse_settings, shipped_configs
from mtbert.config.older import is_written_out, keep_old_defaults, with_old_target
from mtbert.config.yaml import dump_yaml, parse_yaml, read_yaml

OLD = Path(__file__).parent.parent / "fixtures" / "run-format-1" / "finished" / "config.yaml"
REGRESSION = {"kind": "regression", "train": "a.csv"}


def old_tree():
    return parse_yaml(OLD.read_text("utf-8").replace("@FIXTURE@", "/data"), "old")


def test_an_old_runs_configuration_keeps_raw_targets(tmp_path):
    file = tmp_path / "copied.yaml"
    file.write_text(OLD.read_text("utf-8").replace("@FIXTURE@", "/data"))
    settings = load_config(str(file))
    assert settings.tasks["sts"].target == "raw"
    assert settings.tasks["sst"].target is None


def test_an_override_is_stronger_than_an_old_default(tmp_path):
    file = tmp_path / "copied.yaml"
    file.write_text(OLD.read_text("utf-8").replace("@FIXTURE@", "/data"))
    assert load_config(str(file), ["tasks.sts.target=standardised"]).tasks["sts"].target == (
        "standardised"
    )


@pytest.mark.parametrize("name", shipped_configs())
def test_what_people_write_is_not_taken_for_a_runs_own(name):
    assert not is_written_out(read_yaml(shipped_configs()[name]))


def test_what_a_run_writes_today_comes_back_as_it_was():
    tree = {"data": {"dir": "/data"}, "tasks": {"a": {**REGRESSION, "dev": "b.csv"}}}
    settings = parse_settings(tree, "mine")
    assert settings.tasks["a"].target == "standardised"
    again = parse_yaml(dump_yaml(settings), "written")
    assert is_written_out(again)
    keep_old_defaults(again)
    assert parse_settings(again, "again") == settings


@pytest.mark.parametrize("part", ["training", "tasks"])
def test_a_missing_key_or_a_strange_shape_is_not_written_out(part):
    for strange in (None, [], {}, "text", {"sst": None}):
        tree = old_tree() | {part: strange}
        keep_old_defaults(tree)
        assert tree[part] is strange
    tree = old_tree()
    assert is_written_out(tree)
    del tree["training"]["log_every"]
    assert not is_written_out(tree)


@pytest.mark.parametrize(
    ("task", "target"),
    [
        (REGRESSION, "raw"),
        (REGRESSION | {"loss": "mse"}, "raw"),
        (REGRESSION | {"target": "standardised"}, "standardised"),
        (REGRESSION | {"loss": "binary_cross_entropy", "range": [0, 1]}, None),
        (REGRESSION | {"uses": "other"}, None),
        (REGRESSION | {"kind": 5}, None),
        (REGRESSION | {"kind": "something"}, None),
        (REGRESSION | {"loss": ["mse"]}, None),
        ({"kind": "classification"}, None),
    ],
)
def test_only_a_squared_error_had_a_target(task, target):
    assert with_old_target(task).get("target") == target
