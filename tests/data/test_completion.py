"""Classes that a configuration does not name are those of the training file."""

import logging

import pytest

from mtbert.config.load import parse_settings
from mtbert.data.completion import MAX_CLASSES, completed
from mtbert.errors import UserError


@pytest.fixture
def complete(tmp_path):
    """A function: labels of a training file → the completed settings of its task."""

    def make(found, cache=False, rest=None, **task):
        rows = "".join(f"text {i},{label}\n" for i, label in enumerate(found))
        (tmp_path / "t.csv").write_text(f"sentence,label\n{rows}", encoding="utf-8")
        fields = {"kind": "classification", "train": "t.csv", "dev": "t.csv", **task}
        data = {"dir": str(tmp_path), "cache": cache}
        return completed(
            parse_settings({"data": data, "tasks": {"a": fields, **(rest or {})}}, "test")
        )

    return make


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (["pos", "neg", "pos"], ("neg", "pos")),
        (["10", "2", "1.0", "1"], ("1", "2", "10")),
        (["True", "False"], ("false", "true")),
        (["b", "NaN", "a", "null", "None"], ("a", "b", "None")),
        ([f"intent {i:02}" for i in range(77)] * 2, tuple(f"intent {i:02}" for i in range(77))),
    ],
)
def test_classes_are_those_of_the_training_file_in_order(complete, found, names):
    assert complete(found).tasks["a"].class_names == names


def test_rows_without_text_or_label_name_no_class(complete, tmp_path):
    (tmp_path / "u.csv").write_text("sentence,label\none,a\ntwo,b\nthree, \n,c\nfour\n")
    assert complete([], train="u.csv").tasks["a"].labels == ("a", "b")


def test_settings_that_name_everything_are_returned_and_nothing_is_read():
    fields = {"kind": "classification", "labels": ["a", "b"], "train": "/no", "dev": "/no"}
    settings = parse_settings({"tasks": {"a": fields}}, "test")
    assert completed(settings) is settings


def test_a_pair_of_zero_and_one_keeps_its_default(complete, tmp_path):
    (tmp_path / "p.csv").write_text("sentence1,sentence2,label\na,b,1.0\nc,d,0.0\n")
    pair = {"kind": "pair_classification", "train": "p.csv"}
    assert complete(["x", "y"], rest={"p": pair}).tasks["p"].labels is None
    (tmp_path / "p.csv").write_text("sentence1,sentence2,label\na,b,same\nc,d,other\n")
    assert complete(["x", "y"], rest={"p": pair}).tasks["p"].labels == ("other", "same")


def test_a_task_that_is_only_evaluated_has_the_classes_of_its_owner(complete):
    only = {"kind": "classification", "uses": "a", "dev": "t.csv"}
    assert complete(["x", "y"], rest={"b": only}).tasks["b"].labels == ("x", "y")
    assert complete([], labels=["x", "y"], rest={"b": only}).tasks["b"].labels == ("x", "y")
    with pytest.raises(UserError, match="no trained task 'a' of the same kind"):
        complete(["x", "y"], rest={"b": {**only, "labels": ["x", "z"]}})


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "task a: .*t.csv: column 'label' holds no label"),
        (["x", "x"], "holds one label alone, 'x'; a classification needs two"),
        ([str(i / 7) for i in range(30)], "holds 30 different labels in 30 rows .*kind: regress"),
        ([str(i) for i in range(MAX_CLASSES + 1)] * 3, f"holds {MAX_CLASSES + 1} different labels"),
    ],
)
def test_a_column_that_is_none_of_classes_is_refused(complete, found, told):
    with pytest.raises(UserError, match=told):
        complete(found)


def test_a_missing_column_or_file_is_told(complete, tmp_path):
    with pytest.raises(UserError, match=r"task a: .*t\.csv:1: no column 'stars'"):
        complete(["x", "y"], columns={"label": "stars"})
    with pytest.raises(UserError, match=r"task a: .*gone\.csv: no such file"):
        complete(["x", "y"], train="gone.csv")


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({"loss": "mse"}, "`mse` needs two classes, found 3"),
        ({"class_weights": [1, 2]}, "`class_weights` needs 3 numbers, found 2"),
    ],
)
def test_what_depends_on_the_number_of_classes_is_checked_then(complete, task, told):
    with pytest.raises(UserError, match=f"labels of the training files: .*{told}"):
        complete(["x", "y", "z"], **task)


def test_classes_that_differ_in_case_alone_are_told(complete, caplog):
    with caplog.at_level(logging.WARNING):
        assert complete(["Pos", "pos", "neg"]).tasks["a"].labels == ("neg", "Pos", "pos")
    assert "are different classes: 'Pos', 'pos'" in caplog.text


@pytest.mark.parametrize("other", ["po\u200bs", "p\u00ados", "\uff50os", "POS"])
def test_classes_that_look_alike_are_told(complete, caplog, other):
    with caplog.at_level(logging.WARNING):
        assert len(complete(["pos", other, "neg"]).tasks["a"].labels) == 3
    assert "are different classes" in caplog.text
    assert "neg" not in caplog.text.partition("are different classes")[2]


def test_accents_of_both_kinds_are_one_class(complete):
    found = ["caf\xe9", "cafe\u0301", "th\xe9"]
    assert complete(found).tasks["a"].labels == ("caf\xe9", "th\xe9")


@pytest.mark.parametrize("missing", ["nan", "NaN", "<NA>"])
def test_a_missing_label_as_pandas_writes_it_is_no_class(complete, missing):
    assert complete(["1.0", missing, "0.0"]).tasks["a"].labels == ("0", "1")
    assert complete(["x", missing, "y"]).tasks["a"].labels == ("x", "y")
    assert complete(["x"], labels=["x", "nan"]).tasks["a"].labels == ("x", "nan")


def test_the_names_are_kept_in_the_cache_and_made_anew_when_the_file_changes(
    complete, tmp_path, monkeypatch
):
    cache = str(tmp_path / "cache")
    assert complete(["x", "y"], cache=cache).tasks["a"].labels == ("x", "y")
    with monkeypatch.context() as patch:
        patch.setattr("mtbert.data.completion.label_texts", None)
        assert complete(["x", "y"], cache=cache).tasks["a"].labels == ("x", "y")
    assert complete(["x", "z"], cache=cache).tasks["a"].labels == ("x", "z")


def test_labels_of_lists_are_found_too(complete):
    found = complete(["a;b", "b", "c;a"] * 2, kind="multilabel_classification")
    assert found.tasks["a"].labels == ("a", "b", "c")
    with pytest.raises(UserError, match="column 'label': labels may be separated by"):
        complete(["a;b", "b|c"], kind="multilabel_classification")
