"""The demo, cut to a step a run."""

import csv
import itertools
from importlib import resources

import pytest

from mtbert import demo
from mtbert.config.load import load_config

DATA = resources.files("mtbert") / "demo_data"
TASKS = ("sentiment", "paraphrase", "similarity")


def rows(task, split):
    with (DATA / f"{task}-{split}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def texts(row):
    return [value for key, value in row.items() if key.startswith("sentence")]


def test_the_demo_trains_both_models_answers_and_reports(tmp_path, monkeypatch, capsys):
    short = ["training.epochs=1", "training.steps_per_epoch=1"]
    monkeypatch.setattr(demo, "load_config", lambda n, o: load_config(n, [*o, *short]))
    for _ in range(2):  # an earlier demo is replaced
        assert demo.main(["--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "(a) frozen encoder, three heads" in shown and "(b) one model, PCGrad" in shown
    assert shown.count(" of 5\n") == 4
    assert "<svg" in (tmp_path / "report.html").read_text("utf-8")


def test_a_folder_that_is_no_run_is_not_replaced(tmp_path, capsys):
    (tmp_path / "frozen").write_text("mine")
    assert demo.main(["--output", str(tmp_path)]) == 2
    assert (tmp_path / "frozen").read_text() == "mine"
    assert "is a file" in capsys.readouterr().err


def test_frozen_and_multitask_differ_in_nothing_that_shapes_a_head():
    frozen, multitask = load_config("demo", demo.FROZEN), load_config("demo")
    assert frozen.tasks == multitask.tasks
    assert multitask.training.surgery.name == "pcgrad"


@pytest.mark.parametrize("task", TASKS)
def test_the_data_have_the_promised_size_and_unique_ids(task):
    train, dev = rows(task, "train"), rows(task, "dev")
    assert (len(train), len(dev)) == (300, 100)
    assert len({row["id"] for row in train + dev}) == 400


@pytest.mark.parametrize("task", TASKS)
def test_no_text_of_dev_is_nearly_one_of_train(task):
    def words(text):
        return set(text.lower().split())

    train = [words(text) for row in rows(task, "train") for text in texts(row)]
    for row, known in itertools.product(rows(task, "dev"), train):
        for text in map(words, texts(row)):
            assert len(text & known) / len(text | known) < 0.6, row
