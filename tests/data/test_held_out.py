"""`dev: 10%`: the rows that a task reads of a training file, for every command alike."""

import json
from collections import Counter

import pytest
from support.toy import command_line

from mtbert.cli import main
from mtbert.config.load import parse_settings
from mtbert.data.cache import Cache
from mtbert.data.held_out import file_of, rows_of
from mtbert.data.tasks import load_tasks, read_set
from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.studies.fingerprint import Fingerprints
from mtbert.training.setup import prepare

WORDS = ["film", "actor", "plot", "music", "cat", "dog", "bird", "sun", "moon", "sea"]


@pytest.fixture
def table(tmp_path):
    """A file of two tasks: forty rows with a tone, thirty of them with a length too."""
    rows = [
        f"r{i},the {WORDS[i % 10]} {WORDS[i // 10]} {i},{'bad' if i % 4 else 'good'},"
        f"{'' if i % 4 == 3 else i}"
        for i in range(40)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["id,sentence,tone,length", *rows]) + "\n")
    return path


@pytest.fixture
def make(table, toy):
    def settings(dev="25%", length_dev=None, **data):
        tone = {"kind": "classification", "columns": {"label": "tone"}}
        length = {"kind": "regression", "range": [0, 50], "columns": {"label": "length"}}
        files = {"train": "table.csv", "dev": dev}
        tree = toy.tree("sst", training={"epochs": 1})
        tree["tasks"] = {
            "tone": {**tone, **files, "labels": ["bad", "good"]},
            "length": {**length, **files, "dev": length_dev or dev},
        }
        return {**tree, "data": {"dir": str(table.parent), "cache": False, **data}}

    return settings


def ids(found):
    return list(found.ids)


def test_a_share_and_the_rest_make_the_file(make, tokenizer):
    settings = parse_settings(make(), "test")
    data = load_tasks(settings, tokenizer)
    for name, rows in (("tone", 40), ("length", 30)):
        train, dev = data[name].train, data[name].dev["dev"]
        assert len(train) + len(dev) == rows
        assert not set(ids(train)) & set(ids(dev))
        assert data[name].leaks == {"dev": 0}
    assert Counter(data["tone"].dev["dev"].inputs.labels) == {0: 8, 1: 2}
    lines = {"tone": ids(data["tone"].dev["dev"]), "length": ids(data["length"].dev["dev"])}
    assert set(lines["length"]) <= set(lines["tone"])  # the tasks share the split
    assert len(lines["length"]) == pytest.approx(7.5, abs=2)


def test_rows_keep_their_ids_and_order(make, tokenizer):
    settings = parse_settings(make(), "test")
    found = ids(read_set(settings, "tone", "25%", tokenizer, cache=None))
    assert found == sorted(found, key=lambda row: int(row[1:]))


def test_only_tasks_of_the_same_file_and_share_split_together(make):
    both, alone = parse_settings(make(), "a"), parse_settings(make(length_dev="table.csv"), "b")
    assert rows_of(both, "tone", "25%").lines == rows_of(both, "length", "25%").lines
    assert rows_of(alone, "length", "table.csv") is None
    other = parse_settings(make(length_dev="50%"), "c")
    assert len(rows_of(other, "length", "50%").lines) == pytest.approx(15, abs=2)
    assert len(rows_of(other, "tone", "25%").lines) == 10
    assert rows_of(both, "tone", "elsewhere.csv") is None


def test_the_seed_of_the_run_does_not_move_the_rows_that_of_the_split_does(make):
    first = rows_of(parse_settings(make() | {"seed": 1}, "a"), "tone", "25%")
    assert rows_of(parse_settings(make() | {"seed": 2}, "a"), "tone", "25%") == first
    assert rows_of(parse_settings(make(split_seed=2), "a"), "tone", "25%") != first


def test_a_changed_file_is_split_anew(make, table):
    settings = parse_settings(make(), "test")
    before = rows_of(settings, "tone", "25%").lines
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:9]))
    assert len(rows_of(settings, "tone", "25%").lines) < len(before)


def test_the_cache_tells_the_sides_apart(make, tokenizer, tmp_path):
    settings, cache = parse_settings(make(), "test"), Cache(tmp_path / "cache")

    def sides(seed):
        found = settings.model_copy(
            update={"data": settings.data.model_copy(update={"split_seed": seed})}
        )
        return [
            ids(read_set(found, "tone", f, tokenizer, cache=cache)) for f in ("25%", "table.csv")
        ]

    assert sides(1) != sides(2)
    assert sides(1) == sides(1)
    assert {*sides(1)[0], *sides(1)[1]} == {f"r{i}" for i in range(40)}


def test_bad_rows_are_told_once_with_the_rows_that_are_trained_on(make, table, tokenizer):
    table.write_text(table.read_text() + "x,the sea,neither,\n")
    tree = make()
    tree["tasks"]["tone"]["on_bad_rows"] = "skip"
    data = load_tasks(parse_settings(tree, "test"), tokenizer)
    assert len(data["tone"].train.left_out.problems) == 1
    assert data["tone"].dev["dev"].left_out.problems == []


@pytest.mark.parametrize("rows", [1, 2])
def test_a_file_too_small_to_split_is_refused(make, table, tokenizer, rows):
    table.write_text("sentence,tone,length\n" + "".join(f"the sea {i},bad,\n" for i in range(rows)))
    tree = make()
    del tree["tasks"]["length"]
    settings = parse_settings(tree, "test")
    if rows == 1:
        with pytest.raises(UserError, match=r"task tone: .*table.csv: too few rows to hold some"):
            load_tasks(settings, tokenizer)
    else:
        assert len(load_tasks(settings, tokenizer)["tone"].dev["dev"]) == 1


def test_a_share_means_the_training_file(make):
    task = parse_settings(make(), "test").tasks["tone"]
    assert [file_of(task, f) for f in ("25%", "table.csv", "x.csv")] == [
        "table.csv", "table.csv", "x.csv",
    ]  # fmt: skip


def test_every_command_reads_the_same_rows(make, table, capsys):
    tree, folder = make(), table.parent
    del tree["tasks"]["tone"]["labels"]
    (folder / "run.yaml").write_text(json.dumps(tree))
    with command_line(folder):
        assert main(["--quiet", "train", "run.yaml", "--output", "run"]) == 0
        summary = json.loads((folder / "run/summary.json").read_text())
        capsys.readouterr()
        scores = {}
        for split in ("dev", "train"):
            assert main(["evaluate", "run", "--split", split, "--json"]) == 0
            scores[split] = json.loads(capsys.readouterr().out)[split]
        assert scores["dev"]["tone"] == pytest.approx(summary["dev"]["tone"])
        assert main(["data", "check", "run.yaml"]) == 0
        out = capsys.readouterr().out
        assert main(["--quiet", "train", "run/config.yaml", "--output", "again"]) == 0
    written = (folder / "run/predictions/tone-dev.jsonl").read_text().splitlines()
    assert len(written) == summary["examples"]["tone/dev"] == 10
    assert f"tone dev: {folder}/table.csv\n  10 examples" in out
    assert f"tone train: {folder}/table.csv\n  30 examples" in out
    model, again = (folder / name / "model/model.safetensors" for name in ("run", "again"))
    assert model.read_bytes() == again.read_bytes()
    assert "labels:\n    - bad\n    - good\n" in (folder / "run/config.yaml").read_text()


def test_the_planned_steps_and_the_key_of_a_study_know_the_split(make):
    settings = parse_settings(make(), "test")
    planned = prepare(settings, ALONE)
    sizes = {name: len(part) for name, part in planned.train.items()}
    assert Fingerprints().batches(settings) == {n: -(-s // 4) for n, s in sizes.items()}
    keys = {
        Fingerprints().key(parse_settings(tree, "test"))
        for tree in (make(), make("30%"), make(split_seed=2), make("table.csv"))
    }
    assert len(keys) == 4
