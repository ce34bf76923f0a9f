import json

import pytest
from support.configurations import SMALL

from mtbert.config.load import parse_settings
from mtbert.config.messages import nearest, unknown_name
from mtbert.errors import UserError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("traning: {epochs: 3}", "traning: unknown key; did you mean 'training'?"),
        ("training: {epoch: 3}", "training.epoch: unknown key; did you mean 'epochs'?"),
        ("training: {learningrate: 1}", "did you mean 'learning_rate'?"),
        ("encoder: {pth: x}", "encoder.pth: unknown key; did you mean 'path'?"),
        ("data: {zzzz: x}", "data.zzzz: unknown key; known: cache, dir"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(refuse, line, expected):
    assert expected in refuse(SMALL + line)


def test_a_key_that_is_no_text_is_told_without_a_place():
    with pytest.raises(UserError, match=r"tree: configuration: input should be a valid string"):
        parse_settings({"tasks": {}, "\ud800": 1}, "tree")


@pytest.mark.parametrize("task", ["x", "columns", "train"])
def test_an_unknown_key_of_a_task_is_explained_whatever_the_task_is_called(refuse, task):
    text = f"tasks: {{{task}: {{kind: regression, train: a, dev: b, loss_wieght: 2}}}}"
    expected = f"tasks.{task}.loss_wieght: unknown key; did you mean 'loss_weight'?"
    assert expected in refuse(text)


def test_an_unknown_column_role_is_explained(refuse):
    text = "tasks: {x: {kind: regression, train: a, dev: b, columns: {lable: y}}}"
    assert "tasks.x.columns.lable: unknown key; did you mean 'label'?" in refuse(text)


def test_all_problems_are_reported_at_once(refuse):
    message = refuse(
        """\
sead: 1
tasks:
  film: {kind: classification, labels: [a], train: a, dev: b}
  pair: {kind: pair_regression, train: c, dev: d, range: [5, 0], batch_size: none}
  other: {kind: pair_regression, train: c, dev: d, range: [5, 0]}
training: {epochs: 0, batching: method4, surgery: yes}
"""
    )
    assert message.splitlines()[0].endswith("run.yaml: 7 problems")
    for part in (
        "sead: unknown key; did you mean 'seed'?",
        "tasks.film: `labels` needs two classes or more",
        "tasks.pair.batch_size: ",
        "tasks.other: `range` must rise",
        "training.epochs: input should be greater than or equal to 1, or auto, found 0",
        "training.batching: ",
        "training.surgery: ",
    ):
        assert part in message
    assert "found 'method4'" in message
    assert "'method1', 'method2', 'method3', 'continued', " in message


def test_of_many_problems_ten_are_listed_and_counted(refuse):
    message = refuse(SMALL + "".join(f"zz{i}: 1\n" for i in range(25)))
    assert "25 problems" in message
    assert "and 15 more" in message
    assert len(message.splitlines()) == 12


def test_an_unknown_name_is_told_with_all_and_the_nearest_one():
    assert unknown_name("metod1", ["method1", "method2", "sum"]) == (
        "input should be 'method1', 'method2' or 'sum', found 'metod1'; did you mean 'method1'?"
    )
    assert unknown_name("zzz", ["a"]) == "input should be 'a', found 'zzz'"
    assert unknown_name(3, ["a", "b"]) == "input should be 'a' or 'b', found 3"


def test_the_end_of_a_message_names_the_nearest_key_or_all():
    assert nearest("epoch", ["epochs", "seed"]) == "; did you mean 'epochs'?"
    assert nearest("zzz", ["epochs", "data"]) == "; known: data, epochs"


def test_alternatives_have_no_names_of_pydantic_and_lists_are_called_so(refuse):
    assert "threads: input should be greater than or equal to 1, or auto" in refuse(
        SMALL + "threads: 0"
    )
    text = "tasks: {x: {kind: classification, train: a, dev: b, labels: {bad: 0, good: 1}}}"
    assert "tasks.x.labels: found {'bad': 0, 'good': 1}, expected a list" in refuse(text)
    for key, found in (("dev", 0.2), ("class_weights", {"bad": 2})):
        fields = {"kind": "classification", "train": "a", "dev": "b", key: found}
        message = refuse(json.dumps({"tasks": {"x": fields}}))
        assert f"tasks.x.{key}: " in message
        assert not any(word in message for word in ("function", "dict[", "literal", "constrained"))


@pytest.mark.parametrize("name", ["my task", "t\xe2che", "a/b", "1st", "", "a[b]", "a" * 65])
def test_a_name_that_no_task_can_have_is_told_what_it_may_hold(refuse, name):
    fields = {"kind": "regression", "train": "a", "dev": "b"}
    message = refuse(json.dumps({"tasks": {name: fields}}))
    assert "cannot be a name there, expected letters, digits, _ and -" in message
    assert "pattern" not in message
