"""The model, the tasks and the columns that `predict` and `evaluate` are given."""

import argparse

import pytest

from mtbert.commands.source import asked_tasks, mapped_columns, reading_columns
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError

TASKS = {
    "one": TaskSettings(kind="regression", train="t", dev="d", columns={"text": "words"}),
    "two": TaskSettings(kind="pair_regression", train="t", dev="d"),
    "again": TaskSettings(kind="regression", uses="one", dev="e"),
}


def test_tasks_with_a_head_are_asked_unless_named():
    assert list(asked_tasks(TASKS, None)) == ["one", "two"]
    assert list(asked_tasks(TASKS, ["again", "two"])) == ["again", "two"]
    with pytest.raises(UserError, match="found 'x', expected one of one, two, again"):
        asked_tasks(TASKS, ["x"])


def test_columns_of_all_tasks_and_of_one():
    read = reading_columns(TASKS, {"text": "a", "text2": "b", "two.text": "c", "label": "y"})
    assert {name: task.text_columns for name, task in read.items()} == {
        "one": ("a",), "two": ("c", "b"), "again": ("a",)
    }  # fmt: skip
    assert read["one"].columns.label == "y"
    assert reading_columns(TASKS, {})["one"].text_columns == ("words",)
    with pytest.raises(UserError, match="no task 'x' here"):
        reading_columns(TASKS, {"x.text": "a"})


def test_arguments_behind_the_columns_find_their_places():
    options = argparse.Namespace(source=None, file=None, columns=["text=a=b", "run", "f.csv"])
    assert mapped_columns(options, "evaluate", "file") == {"text": "a=b"}
    assert (options.source, options.file) == ("run", "f.csv")
    with pytest.raises(UserError, match="evaluate: no model"):
        mapped_columns(argparse.Namespace(source=None, file=None, columns=[]), "evaluate", "file")
