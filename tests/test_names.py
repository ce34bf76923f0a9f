"""Names from outside: of tasks, dev sets, rows, files; none leads out of the output folder."""

import json

import pytest
from toy import files_below

from mtbert.cli import main
from mtbert.config import parse_settings
from mtbert.errors import UserError
from mtbert.service.runs import predict_file

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
        task["dev"] = {odd: "odd.jsonl", "/etc/x": "odd.jsonl"}
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
