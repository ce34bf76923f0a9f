"""Names from outside: of tasks, dev sets, rows, files; none leads out of the output folder."""

import json

import pytest
from support.toy import files_below

from mtbert.cli import main
from mtbert.commands.predict import predict_file
from mtbert.config.load import parse_settings
from mtbert.errors import UserError
from mtbert.studies.folder import read_places
from mtbert.studies.grid import cells, load_grid

BAD_TASKS = [
    "../x",
    "a/b",
    "/a",
    "",
    ".",
    "..",
    "a.b",
    "a b",
    "1a",
    "a" * 65,
    "é",
    "a\n",
    "a\0",
    "-a",
]


@pytest.mark.parametrize("name", BAD_TASKS)
def test_a_task_name_is_a_safe_file_name(toy, name):
    tree = toy.tree("sst")
    tree["tasks"] = {name: tree["tasks"]["sst"]}
    with pytest.raises(UserError, match="tasks"):
        parse_settings(tree, "run.yaml")


@pytest.mark.parametrize(
    "name",
    ["/../../../x", "../x", "a/b", "/a", "", ".", "..", "a.b", "a b", "é", "a\n", "a\0", "-a", "_a",
     "a" * 65],
)  # fmt: skip
def test_a_dev_set_name_is_a_safe_part_of_a_file_name(toy, name):
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["dev"] = {"main": "sst-dev.csv", name: "sst-dev.csv"}
    with pytest.raises(
        UserError, match=r"tasks\.sst: `dev` names a set .*expected 1 to 64 letters"
    ):
        parse_settings(tree, "run.yaml")
    tree["tasks"]["sst"]["dev"] = {name: "sst-dev.csv"}
    with pytest.raises(UserError, match=r"tasks\.sst: `dev` names a set"):
        parse_settings(tree, "run.yaml")


def test_dev_sets_may_be_called_what_they_are_called(toy):
    names = ["main", "2016", "in-domain", "out_of_domain", "a" * 64]
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["dev"] = dict.fromkeys(names, "sst-dev.csv")
    assert list(parse_settings(tree, "run.yaml").tasks["sst"].dev_files) == names


@pytest.mark.parametrize(
    ("tasks", "first", "second"),
    [
        ({"a": ["main", "hard"], "a-hard": ["main"]}, "a.dev.hard", "a-hard.dev"),
        ({"a-hard": ["main"], "a": ["main", "hard"]}, "a-hard.dev", "a.dev.hard"),
        ({"a": ["main", "b-c"], "a-b": ["main", "c"]}, "a.dev.b-c", "a-b.dev.c"),
        ({"a": ["main", "hard", "Hard"]}, "a.dev.hard", "a.dev.Hard"),
        ({"a": ["main"], "A": ["main"]}, "a.dev", "A.dev"),
    ],
)
def test_dev_sets_that_would_share_a_file_of_predictions_are_refused(toy, tasks, first, second):
    """The last two share it where names of files do not tell capital letters from small ones."""
    tree = toy.tree("sst")
    task = tree["tasks"].pop("sst")
    tree["tasks"] = {
        name: task | {"dev": dict.fromkeys(sets, "sst-dev.csv")} for name, sets in tasks.items()
    }
    with pytest.raises(UserError) as refused:
        parse_settings(tree, "run.yaml")
    assert f"tasks.{second}: its predictions would be written into the same file" in str(
        refused.value
    )
    assert f"as those of tasks.{first}; rename one" in str(refused.value)


def test_dev_sets_each_have_a_file_of_predictions(toy, tmp_path):
    tree = toy.tree("sst", training={"epochs": 1})
    task = tree["tasks"]["sst"]
    task["dev"] = {"main": "sst-dev.csv", "sst": "sst-dev.csv", "dev": "sst-dev.csv"}
    tree["tasks"]["sst2"] = {
        key: value for key, value in task.items() if key not in ("train", "test")
    } | {"uses": "sst", "dev": {"main": "sst-dev.csv", "x": "sst-dev.csv"}}
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    output = tmp_path / "run"
    assert main(["--quiet", "train", str(tmp_path / "c.yaml"), "--output", str(output)]) == 0
    assert {path.name for path in (output / "predictions").iterdir()} == {
        "sst-dev.jsonl", "sst-sst-dev.jsonl", "sst-dev-dev.jsonl", "sst2-dev.jsonl",
        "sst2-x-dev.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["my base", "_base", ".base", "b" * 65, "é"])
def test_a_form_called_after_a_file_of_an_odd_name_is_refused(toy, tmp_path, name):
    """A form's name begins the names of its runs' folders and ends those of figures."""
    toy.config(tmp_path / f"{name}.yaml", "sst")
    grid = tmp_path / "grid.yaml"
    grid.write_text(json.dumps({"base": f"{name}.yaml"}), "utf-8")
    with pytest.raises(UserError, match=r"grid\.yaml: base: .* cannot be a part of names of files"):
        load_grid(str(grid))
    grid.write_text(json.dumps({"forms": {"mine": {"base": f"{name}.yaml"}}}), "utf-8")
    assert [cell.run.label for cell in cells(load_grid(str(grid)))] == ["mine-base"]


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", "..", "", "a\n"])
@pytest.mark.parametrize("place", ["form", "run"])
def test_names_in_an_index_of_runs_that_lead_elsewhere_are_refused(tmp_path, place, name):
    parts = {"form": "ours", "variation": "base", "seed": 1, "run": "x"} | {place: name}
    index = {"format": 1, "experiments": {"e": {"title": "E", "cells": [[*parts.values()]]}}}
    (tmp_path / "study.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=rf"study\.json: damaged.* is no name of a {place}"):
        read_places(tmp_path)


def test_a_run_writes_below_its_output_folder_only(toy, tmp_path):
    outside = files_below(tmp_path)
    odd = "../../out\x1b[2J😀"
    rows = [{"id": f"../{odd}{i}", "sentence": "a film", "label": odd * (i % 2)} for i in range(8)]
    for row in rows:
        row["label"] = [odd, "b"][row["label"] == ""]
    source = toy.folder / "odd.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        inputs = files_below(toy.folder)
        tree = toy.tree("sst", training={"epochs": 1})
        task = tree["tasks"]["sst"]
        task |= {"labels": [odd, "b"], "train": "odd.jsonl", "test": "odd.jsonl"}
        task["dev"] = {"main": "odd.jsonl", "other": "odd.jsonl"}
        config = tmp_path / "run" / "config.yaml"
        config.parent.mkdir()
        (tmp_path / "run" / "mine.yaml").write_text(json.dumps(tree, ensure_ascii=False), "utf-8")
        output = tmp_path / "run" / "output"
        assert (
            main(["--quiet", "train", str(config.with_name("mine.yaml")), "--output", str(output)])
            == 0
        )
        predict_file(output, "sst", str(source), output / "answers.jsonl")
        assert files_below(toy.folder) == inputs
    finally:
        source.unlink()
    assert {p.name for p in (output / "predictions").iterdir()} >= {
        "sst-dev.jsonl",
        "sst-other-dev.jsonl",
    }
    made = set(files_below(tmp_path)) - set(outside) - {tmp_path / "run"}
    assert all(path.is_relative_to(tmp_path / "run") for path in made)
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"mine.yaml", "output"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "LONG"],
        ["evaluate", "loop"],
        ["report", "LONG"],
        ["convert", "LONG"],
        ["leaderboard", "LONG", "--data", ".", "--output", "x"],
        ["predict", "LONG", "--task", "a", "b"],
        ["train", "demo", "--output", "LONG"],
        ["predict", ".", "--task", "a", "b", "--output", "."],
        ["convert", "x.bin", "/"],
    ],
)
def test_a_path_that_cannot_be_looked_up_is_refused(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SystemExit) as stop:
        main([argument.replace("LONG", "a" * 5000) for argument in arguments])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "mtbert" in err
    assert len(err) < 1500
    assert [p.name for p in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "~nobody-of-that-name/x", "loop"])
def test_an_odd_name_is_no_configuration_encoder_or_data_file(tmp_path, refuse, toy, name):
    (tmp_path / "loop").symlink_to("loop")
    config = toy.config(tmp_path / "c.yaml", "sst")
    refuse("", "train", name, "--output", "out")
    refuse("", "train", config, f"encoder.path={json.dumps(name)}", "--output", "out")
    refuse("", "train", config, f"data.dir={json.dumps(name)}", "--output", "out")
    refuse("", "train", config, f"tasks.sst.train={json.dumps(name)}", "--output", "out")
    refuse("", "data", "check", name + ".csv")


def test_what_files_hold_cannot_steer_the_terminal(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text('id,"sen\x1b[2Jtence\u202e",label\na,,c\nb,c\n')
    assert main(["data", "check", str(tmp_path / "rows.csv")]) == 2
    streams = capsys.readouterr()
    assert "sen\\x1b[2Jtence\\u202e" in streams.out
    assert (streams.out + streams.err).replace("\n", "").isprintable()
