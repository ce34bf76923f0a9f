"""Tasks that share one file: a blank label is another task's row, for every command alike."""

import csv
import json
import shutil

import pytest
from support.toy import TASKS, command_line

from mtbert.cli import main
from mtbert.errors import UserError
from mtbert.inference.leaderboard import LEADERBOARD
from mtbert.studies.grid import cells, load_grid

LABELS = {"sst": ["bad", "good"], "para": ["0", "1"], "sts": ["0", "2.5", "5"]}
ROWS = 24


def rows(tasks):
    """Every row has a label of one task, in turn; the first has labels of all of them."""
    for i in range(ROWS):
        row = {
            "id": f"r{i}",
            "a": f"the good film {i}",
            "b": f"a bad {'film' if i % 2 else 'plot'}",
        }
        for number, task in enumerate(tasks):
            own = i == 0 or i % len(tasks) == number
            row[task] = LABELS[task][(i // len(tasks)) % len(LABELS[task])] if own else ""
        yield row


def write_table(path, tasks):
    """All tasks' rows as the name's ending says."""
    found = list(rows(tasks))
    if path.suffix == ".jsonl":
        blank_is_null = ({k: v or None for k, v in row.items()} for row in found)
        path.write_text("".join(json.dumps(row) + "\n" for row in blank_is_null))
        return
    with path.open("w", newline="") as stream:
        out = csv.DictWriter(stream, list(found[0]), delimiter=",\t"[path.suffix == ".tsv"])
        out.writeheader()
        out.writerows(found)


@pytest.fixture(params=["csv", "tsv", "jsonl"])
def table(request, tmp_path):
    return tmp_path / f"table.{request.param}"


def same_name(path):
    return [path.name] * 3


def other_spellings(path):
    """One file: its name, a path through a folder and back, and a link to it."""
    (path.parent / "sub").mkdir()
    (path.parent / f"link{path.suffix}").symlink_to(path.name)
    return [path.name, f"sub/../{path.name}", f"link{path.suffix}"]


def write_config(toy, table, tasks, spell):
    write_table(table, tasks)
    tree = toy.tree(*tasks, training={"epochs": 1})
    tree["data"] = {"dir": str(table.parent)}
    for name, file in zip(tasks, spell(table), strict=False):
        texts = {"text": "a"} if name == "sst" else {"text": "a", "text2": "b"}
        tree["tasks"][name] = {**TASKS[name], **dict.fromkeys(("train", "dev", "test"), file)}
        tree["tasks"][name]["columns"] = {**texts, "label": name}
    config = table.with_name("shared.yaml")
    config.write_text(json.dumps(tree))
    return config


@pytest.mark.parametrize("spell", [same_name, other_spellings])
@pytest.mark.parametrize("tasks", [("sst", "para"), ("sst", "para", "sts")])
def test_every_command_takes_the_blank_labels(toy, tmp_path, capsys, table, tasks, spell):
    config = write_config(toy, table, tasks, spell)
    own = ROWS // len(tasks)
    sizes = {task: own + (task != "sst") for task in tasks}  # the first row is of all of them
    with command_line(tmp_path):
        assert main(["data", "check", str(config)]) == 0
        out = capsys.readouterr().out
        for task in tasks:
            assert f"{sizes[task]} examples, 0 bad rows, {ROWS - sizes[task]} rows of other" in out
        assert main(["--quiet", "train", str(config), "--output", "run"]) == 0
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert summary["examples"] == {
            f"{task}/{part}": sizes[task] for task in tasks for part in ("train", "dev")
        }
        capsys.readouterr()
        scores = {}
        for split in ("train", "dev", "test"):
            assert main(["evaluate", "run", "--split", split, "--json"]) == 0
            scores[split] = json.loads(capsys.readouterr().out)[split]
        assert scores["train"] == scores["dev"] == scores["test"]  # one file
        for task in tasks:
            assert scores["dev"][task] == pytest.approx(summary["dev"][task])
            assert main(["predict", "run", "--task", task, table.name]) == 0
            assert len(capsys.readouterr().out.splitlines()) == ROWS  # each row is answered
        planned = cells(load_grid(str(write_grid(config))))
        assert [cell.run.steps for cell in planned] == [summary["steps"]]


def write_grid(config):
    grid = config.with_name("grid.yaml")
    grid.write_text(json.dumps({"forms": {"own": {"base": config.name}}}))
    return grid


def test_the_leaderboard_takes_a_run_on_a_shared_file(toy, tmp_path, capsys):
    tasks = tuple(LEADERBOARD)
    config = write_config(toy, tmp_path / "table.csv", tasks, same_name)
    (tmp_path / "course").mkdir()
    for task in LEADERBOARD.values():
        for file in (task.dev, task.test):
            shutil.copy(tmp_path / "table.csv", tmp_path / "course" / file)
    with command_line(tmp_path):
        assert main(["--quiet", "train", str(config), "--output", "run"]) == 0
        capsys.readouterr()
        assert main(["leaderboard", "run", "--data", "course", "--output", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "-test-" in line] == [str(ROWS)] * 3
    assert [line.split()[1] for line in lines if "-dev-" in line] == ["8", "9", "9"]


def test_a_blank_label_in_a_file_of_one_task_stays_a_bad_row(toy, tmp_path, capsys):
    config = write_config(toy, tmp_path / "table.csv", ("sst", "para"), same_name)
    tree = json.loads(config.read_text())
    del tree["tasks"]["para"]
    config.write_text(json.dumps(tree))
    with command_line(tmp_path):
        assert main(["data", "check", str(config)]) == 2
        assert "12 examples, 12 bad rows" in capsys.readouterr().out
        assert main(["--quiet", "train", str(config), "--output", "run"]) == 2
    assert "blank label, expected one of bad, good" in capsys.readouterr().err
    with pytest.raises(UserError, match="blank label"):
        cells(load_grid(str(write_grid(config))))
